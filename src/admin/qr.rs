//! QR codes: in the terminal, as PNG and as SVG. Nothing leaves the machine.

use crate::secret::{ExposeSecret, SecretString};
use anyhow::{Context, bail};
use qrcode::render::svg;
use qrcode::{Color, EcLevel, QrCode};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The blank border that readers need (ISO/IEC 18004: four modules).
const QUIET_ZONE: usize = 4;

/// The width of a module in a PNG, in pixels.
const SCALE: usize = 8;

/// What a terminal is told about colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    /// Black on white, whatever the terminal's own colours are.
    Both,
    /// Nothing; light modules are drawn, for a dark background.
    None,
}

/// Which modules are light.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Light {
    /// The ground, as it is on paper.
    AsUsual,
    /// The code itself.
    Exchanged,
}

fn encode(uri: &SecretString) -> anyhow::Result<QrCode> {
    QrCode::with_error_correction_level(uri.expose_secret(), EcLevel::M)
        .context("the otpauth:// URI is too long for a QR code: a shorter issuer_name helps")
}

/// A QR code as half blocks, two modules high to a line.
pub(super) fn blocks(uri: &SecretString, colour: Colour, light: Light) -> anyhow::Result<String> {
    let code = encode(uri)?;
    let width = code.width() + 2 * QUIET_ZONE;
    let is_dark = |x: usize, y: usize| {
        let inside = |at: usize| (QUIET_ZONE..QUIET_ZONE + code.width()).contains(&at);
        inside(x) && inside(y) && code[(x - QUIET_ZONE, y - QUIET_ZONE)] == Color::Dark
    };
    // What is drawn is black where the colours are ours, and else as light as the terminal's text.
    let drawn_dark = (colour == Colour::Both) == (light == Light::AsUsual);
    let mut text = String::new();
    for y in (0..width).step_by(2) {
        if colour == Colour::Both {
            text.push_str("\x1b[38;5;16;48;5;231m");
        }
        for x in 0..width {
            let (upper, lower) = (is_dark(x, y), is_dark(x, y + 1));
            let (upper, lower) = if drawn_dark { (upper, lower) } else { (!upper, !lower) };
            text.push(match (upper, lower) {
                (true, true) => '\u{2588}',
                (true, false) => '\u{2580}',
                (false, true) => '\u{2584}',
                (false, false) => ' ',
            });
        }
        if colour == Colour::Both {
            text.push_str("\x1b[0m");
        }
        text.push('\n');
    }
    Ok(text)
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Png,
    Svg,
}

/// A picture file, made before it is known what goes into it, readable by its owner only. Removed again unless
/// [`Picture::write`] fills it.
pub(super) struct Picture {
    path: PathBuf,
    format: Format,
    file: File,
    kept: bool,
}

impl Picture {
    /// Makes the file; the format is that of its name.
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        let format = match extension.as_deref() {
            Some("png") => Format::Png,
            Some("svg") => Format::Svg,
            _ => bail!("--qr-file {}: the name must end in .png or .svg", path.display()),
        };
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .with_context(|| format!("--qr-file {}: a new file cannot be made", path.display()))?;
        Ok(Self { path: path.to_owned(), format, file, kept: false })
    }

    /// Writes the QR code into it.
    pub(super) fn write(mut self, uri: &SecretString) -> anyhow::Result<()> {
        let code = encode(uri)?;
        match self.format {
            Format::Svg => {
                let picture = code.render::<svg::Color<'_>>().min_dimensions(240, 240).build();
                self.file.write_all(picture.as_bytes())
            }
            Format::Png => write_png(&mut self.file, &code),
        }
        .with_context(|| format!("--qr-file {}", self.path.display()))?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Picture {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The QR code as a PNG.
pub(super) fn png(uri: &SecretString) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
    write_png(&mut *bytes, &encode(uri)?)?;
    Ok(bytes)
}

fn write_png(file: &mut impl Write, code: &QrCode) -> std::io::Result<()> {
    let modules = code.width() + 2 * QUIET_ZONE;
    let side = modules * SCALE;
    let mut pixels = vec![u8::MAX; side * side];
    for y in 0..code.width() {
        for x in 0..code.width() {
            if code[(x, y)] == Color::Dark {
                for row in 0..SCALE {
                    let start = ((y + QUIET_ZONE) * SCALE + row) * side + (x + QUIET_ZONE) * SCALE;
                    pixels[start..start + SCALE].fill(0);
                }
            }
        }
    }
    // A QR code has at most 177 modules a side, so this fits.
    let side = u32::try_from(side).unwrap_or(u32::MAX);
    let mut encoder = png::Encoder::new(file, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_code_is_square_and_has_its_quiet_zone() {
        let uri = SecretString::from("otpauth://totp/x:y?secret=GEZDGNBVGY3TQOJQ&issuer=x");
        let text = blocks(&uri, Colour::None, Light::AsUsual).unwrap();
        let lines: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
        let width = lines[0].len();
        assert_eq!(lines.len(), width.div_ceil(2));
        assert!(lines.iter().all(|line| line.len() == width));
        assert!(lines[..2].iter().flatten().all(|&c| c == '\u{2588}'), "light border above");
        let coloured = blocks(&uri, Colour::Both, Light::AsUsual).unwrap();
        assert!(
            coloured
                .lines()
                .all(|line| line.starts_with("\x1b[38;5;16;48;5;231m") && line.ends_with("\x1b[0m"))
        );
    }

    #[test]
    fn an_exchanged_code_is_the_other_one_module_for_module() {
        let uri = SecretString::from("otpauth://totp/x:y?secret=GEZDGNBVGY3TQOJQ&issuer=x");
        let other = |module| match module {
            '\u{2588}' => ' ',
            ' ' => '\u{2588}',
            '\u{2580}' => '\u{2584}',
            '\u{2584}' => '\u{2580}',
            other => other,
        };
        for colour in [Colour::None, Colour::Both] {
            let as_usual = blocks(&uri, colour, Light::AsUsual).unwrap();
            let exchanged: String = as_usual.chars().map(other).collect();
            assert_eq!(blocks(&uri, colour, Light::Exchanged).unwrap(), exchanged);
        }
    }
}
