//! Bindings to Linux-PAM: the seven functions and the conversation that a login check needs.
//!
//! Declarations follow `security/_pam_types.h` and `security/pam_appl.h` of Linux-PAM 1.4 and later.
#![allow(unsafe_code, reason = "libpam is a C library; each block says why it is sound")]

use crate::secret::{ExposeSecret, SecretBytes};
use libloading::os::unix;
use std::cell::UnsafeCell;
use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::fmt;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;
use std::time::Duration;

const PAM_SUCCESS: c_int = 0;
const PAM_OPEN_ERR: c_int = 1;
const PAM_BUF_ERR: c_int = 5;
const PAM_CONV_ERR: c_int = 19;
const PAM_BAD_ITEM: c_int = 29;

const PAM_DISALLOW_NULL_AUTHTOK: c_int = 0x0001;

const PAM_USER: c_int = 2;
const PAM_TTY: c_int = 3;
const PAM_RHOST: c_int = 4;
const PAM_FAIL_DELAY: c_int = 10;

const PAM_PROMPT_ECHO_OFF: c_int = 1;
const PAM_PROMPT_ECHO_ON: c_int = 2;
const PAM_ERROR_MSG: c_int = 3;
const PAM_TEXT_INFO: c_int = 4;

/// The most messages in one call (`PAM_MAX_NUM_MSG`).
const PAM_MAX_NUM_MSG: c_int = 32;

#[repr(C)]
struct PamHandle {
    _opaque: [u8; 0],
}

#[repr(C)]
struct PamMessage {
    style: c_int,
    text: *const c_char,
}

#[repr(C)]
struct PamResponse {
    text: *mut c_char,
    /// Unused; zero (`resp_retcode`).
    code: c_int,
}

type ConversationFunction =
    extern "C" fn(c_int, *const *const PamMessage, *mut *mut PamResponse, *mut c_void) -> c_int;
type DelayFunction = extern "C" fn(c_int, c_uint, *mut c_void);

#[repr(C)]
struct PamConversation {
    function: ConversationFunction,
    data: *mut c_void,
}

/// The functions of libpam, loaded when they are first needed: of all the processes of this program only one needs
/// them, and OpenVPN waits for the others to start.
struct Library {
    start: unsafe extern "C" fn(
        *const c_char,
        *const c_char,
        *const PamConversation,
        *mut *mut PamHandle,
    ) -> c_int,
    end: unsafe extern "C" fn(*mut PamHandle, c_int) -> c_int,
    authenticate: unsafe extern "C" fn(*mut PamHandle, c_int) -> c_int,
    acct_mgmt: unsafe extern "C" fn(*mut PamHandle, c_int) -> c_int,
    set_item: unsafe extern "C" fn(*mut PamHandle, c_int, *const c_void) -> c_int,
    get_item: unsafe extern "C" fn(*const PamHandle, c_int, *mut *const c_void) -> c_int,
    strerror: unsafe extern "C" fn(*mut PamHandle, c_int) -> *const c_char,
}

impl Library {
    /// Linux-PAM by the name of its library, which does not need the link that only the development package brings.
    const NAME: &str = "libpam.so.0";

    fn load() -> Result<&'static Self, PamError> {
        static LOADED: OnceLock<Result<Library, String>> = OnceLock::new();
        let loaded = LOADED.get_or_init(|| Self::open().map_err(|error| error.to_string()));
        loaded.as_ref().map_err(|text| PamError { code: PAM_OPEN_ERR, text: text.clone() })
    }

    fn open() -> Result<Self, libloading::Error> {
        // SAFETY: Linux-PAM's initialisers have no requirements. Its symbols are global, as where a program links it:
        // not every module says that it needs libpam. It is never unloaded, so the functions stay. Each has the type that
        // `security/pam_appl.h` gives it.
        unsafe {
            let library = unix::Library::open(Some(Self::NAME), unix::RTLD_NOW | unix::RTLD_GLOBAL)?;
            let library = ManuallyDrop::new(library);
            Ok(Self {
                start: *library.get(b"pam_start\0")?,
                end: *library.get(b"pam_end\0")?,
                authenticate: *library.get(b"pam_authenticate\0")?,
                acct_mgmt: *library.get(b"pam_acct_mgmt\0")?,
                set_item: *library.get(b"pam_set_item\0")?,
                get_item: *library.get(b"pam_get_item\0")?,
                strerror: *library.get(b"pam_strerror\0")?,
            })
        }
    }
}

unsafe extern "C" {
    // The C library's: PAM frees what it is given with `free`.
    fn calloc(count: usize, size: usize) -> *mut c_void;
    fn free(memory: *mut c_void);
}

/// A code that a PAM function returned, with PAM's words for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PamError {
    code: c_int,
    text: String,
}

impl fmt::Display for PamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (PAM {})", self.text, self.code)
    }
}

/// What a module wants to know.
pub(super) enum Message<'a> {
    /// A prompt whose answer is not shown.
    HiddenPrompt(&'a str),
    /// A prompt whose answer is shown.
    VisiblePrompt(&'a str),
    /// Something else.
    Unknown,
}

/// The application's side of a conversation with modules. An implementation must not panic.
pub(super) trait Conversation {
    /// The answer to a prompt; `None` ends the conversation with an error.
    fn answer(&mut self, message: Message<'_>) -> Option<&SecretBytes>;

    /// A text for the user.
    fn note(&mut self, text: &str);
}

/// The items that are set here.
#[derive(Debug, Clone, Copy)]
pub(super) enum Item {
    /// Where the user comes from.
    RemoteHost,
    /// The terminal.
    Terminal,
}

/// Flags of a check.
#[derive(Debug, Clone, Copy)]
pub(super) enum Flags {
    /// An account without a password does not pass.
    DisallowNullPassword,
}

/// What the callbacks write to.
struct Shared<C> {
    conversation: C,
    delay: Duration,
}

/// A PAM transaction.
pub(super) struct Session<C: Conversation> {
    pam: &'static Library,
    handle: NonNull<PamHandle>,
    /// Allocated by `Box`, freed in `drop`; libpam holds a pointer to it from `pam_start` to `pam_end`. The callbacks
    /// reach it through that pointer, during calls into libpam only, when no reference from here is alive.
    shared: NonNull<UnsafeCell<Shared<C>>>,
    last_status: c_int,
}

impl<C: Conversation> Session<C> {
    /// `pam_start`, and our function for the failure delay, so that libpam does not sleep.
    pub(super) fn start(service: &str, user: &str, conversation: C) -> Result<Self, PamError> {
        let pam = Library::load()?;
        let (service, user) = (c_string(service)?, c_string(user)?);
        let shared = Box::new(UnsafeCell::new(Shared { conversation, delay: Duration::ZERO }));
        let shared = NonNull::from(Box::leak(shared));
        let callbacks = PamConversation { function: converse::<C>, data: shared.as_ptr().cast() };
        let mut handle = ptr::null_mut();
        // SAFETY: all four pointers are valid for the call; libpam copies the strings and `callbacks`. `data` stays
        // valid until `pam_end`, because `shared` is freed after it, in `drop` or below.
        let status =
            unsafe { (pam.start)(service.as_ptr(), user.as_ptr(), &raw const callbacks, &raw mut handle) };
        let Some(handle) = NonNull::new(handle).filter(|_| status == PAM_SUCCESS) else {
            // SAFETY: made by `Box::leak` above, and libpam has no transaction that could use it.
            drop(unsafe { Box::from_raw(shared.as_ptr()) });
            return Err(PamError { code: status, text: "cannot start a PAM transaction".to_owned() });
        };
        let mut session = Self { pam, handle, shared, last_status: PAM_SUCCESS };
        let delay: DelayFunction = note_delay::<C>;
        // SAFETY: for `PAM_FAIL_DELAY` the value is a function pointer of exactly this type (`pam_set_item`(3)), which
        // is called with the `data` of the conversation.
        let status =
            unsafe { (pam.set_item)(session.handle.as_ptr(), PAM_FAIL_DELAY, delay as *const c_void) };
        session.result(status)?;
        Ok(session)
    }

    /// `pam_set_item`
    pub(super) fn set(&mut self, item: Item, value: &str) -> Result<(), PamError> {
        let value = c_string(value)?;
        let item = match item {
            Item::RemoteHost => PAM_RHOST,
            Item::Terminal => PAM_TTY,
        };
        // SAFETY: the handle is live; both items are strings, which libpam copies.
        let status = unsafe { (self.pam.set_item)(self.handle.as_ptr(), item, value.as_ptr().cast()) };
        self.result(status)
    }

    /// `pam_authenticate`
    pub(super) fn authenticate(&mut self, flags: Flags) -> Result<(), PamError> {
        // SAFETY: the handle is live, and no reference into `shared` is alive.
        let status = unsafe { (self.pam.authenticate)(self.handle.as_ptr(), flags.bits()) };
        self.result(status)
    }

    /// `pam_acct_mgmt`
    pub(super) fn account(&mut self, flags: Flags) -> Result<(), PamError> {
        // SAFETY: the handle is live, and no reference into `shared` is alive.
        let status = unsafe { (self.pam.acct_mgmt)(self.handle.as_ptr(), flags.bits()) };
        self.result(status)
    }

    /// The user's name as PAM has it now (`pam_get_item`, `PAM_USER`).
    pub(super) fn user(&mut self) -> Result<Vec<u8>, PamError> {
        let mut value = ptr::null();
        // SAFETY: the handle is live, and `value` is valid for the call.
        let status = unsafe { (self.pam.get_item)(self.handle.as_ptr(), PAM_USER, &raw mut value) };
        self.result(status)?;
        if value.is_null() {
            return Err(self.error(PAM_BAD_ITEM));
        }
        // SAFETY: the item is a NUL-terminated string that libpam owns and does not change before the next call.
        Ok(unsafe { CStr::from_ptr(value.cast()) }.to_bytes().to_vec())
    }

    /// The delay that PAM asked for after the last check (`PAM_FAIL_DELAY`); zero where no module wanted one.
    pub(super) fn failure_delay(&self) -> Duration {
        // SAFETY: no call into libpam is under way, so no callback writes; the reference ends here.
        unsafe { (*self.shared.as_ref().get()).delay }
    }

    /// The conversation, for what it has noted.
    pub(super) fn conversation(&self) -> &C {
        // SAFETY: calls into libpam take `&mut self`, so none is under way while this borrow lives.
        unsafe { &(*self.shared.as_ref().get()).conversation }
    }

    fn result(&mut self, status: c_int) -> Result<(), PamError> {
        self.last_status = status;
        if status == PAM_SUCCESS { Ok(()) } else { Err(self.error(status)) }
    }

    fn error(&self, code: c_int) -> PamError {
        // SAFETY: the handle is live; the text is static, or libpam's until the next call, and copied here.
        let text = unsafe { (self.pam.strerror)(self.handle.as_ptr(), code) };
        let text = if text.is_null() {
            "unknown error".to_owned()
        } else {
            // SAFETY: not null, NUL-terminated, see above.
            unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
        };
        PamError { code, text }
    }
}

impl<C: Conversation> Drop for Session<C> {
    fn drop(&mut self) {
        // SAFETY: the handle is live and not used after this. Modules' clean-up may still converse, so `shared` is
        // freed afterwards; it came from `Box::leak`.
        unsafe {
            (self.pam.end)(self.handle.as_ptr(), self.last_status);
            drop(Box::from_raw(self.shared.as_ptr()));
        }
    }
}

impl Flags {
    fn bits(self) -> c_int {
        match self {
            Self::DisallowNullPassword => PAM_DISALLOW_NULL_AUTHTOK,
        }
    }
}

fn c_string(text: &str) -> Result<CString, PamError> {
    CString::new(text).map_err(|_| PamError { code: PAM_BAD_ITEM, text: "a NUL byte in a string".to_owned() })
}

/// libpam's failure delay: notes it instead of sleeping.
extern "C" fn note_delay<C: Conversation>(_status: c_int, microseconds: c_uint, data: *mut c_void) {
    if data.is_null() {
        return;
    }
    // SAFETY: libpam passes the `data` of the conversation, which is the live `Shared` of this session's type, during a
    // call that holds the session mutably; so this is the only reference.
    let shared = unsafe { &mut *(*data.cast::<UnsafeCell<Shared<C>>>()).get() };
    shared.delay = Duration::from_micros(u64::from(microseconds));
}

/// libpam's conversation (`pam_conv`(3)): answers all messages or none.
extern "C" fn converse<C: Conversation>(
    count: c_int,
    messages: *const *const PamMessage,
    responses: *mut *mut PamResponse,
    data: *mut c_void,
) -> c_int {
    if !(1..=PAM_MAX_NUM_MSG).contains(&count) || messages.is_null() || responses.is_null() || data.is_null()
    {
        return PAM_CONV_ERR;
    }
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: as in `note_delay`.
    let shared = unsafe { &mut *(*data.cast::<UnsafeCell<Shared<C>>>()).get() };
    // SAFETY: `calloc` has no preconditions; zeroed `PamResponse`s are valid: a null text and code 0.
    let answers = unsafe { calloc(count, size_of::<PamResponse>()) }.cast::<PamResponse>();
    if answers.is_null() {
        return PAM_BUF_ERR;
    }
    for index in 0..count {
        // SAFETY: Linux-PAM passes an array of `count` pointers to messages, which outlive the call.
        let message = unsafe { (*messages.add(index)).as_ref() };
        let Ok(text) = answer(&mut shared.conversation, message) else {
            // SAFETY: `answers` has `index` answered entries, which nobody else has seen.
            unsafe { discard(answers, index) };
            return PAM_CONV_ERR;
        };
        // SAFETY: `index < count`, the length of the array.
        unsafe { (*answers.add(index)).text = text };
    }
    // SAFETY: not null, checked above; libpam takes the array over and frees it.
    unsafe { *responses = answers };
    PAM_SUCCESS
}

/// The answer to one message as a C string of `calloc`'s, null for messages that want none.
fn answer<C: Conversation>(conversation: &mut C, message: Option<&PamMessage>) -> Result<*mut c_char, ()> {
    let message = message.ok_or(())?;
    let text = if message.text.is_null() {
        String::new()
    } else {
        // SAFETY: a module's message is a NUL-terminated string that lives through the call.
        unsafe { CStr::from_ptr(message.text) }.to_string_lossy().into_owned()
    };
    let wanted = match message.style {
        PAM_PROMPT_ECHO_OFF => Message::HiddenPrompt(&text),
        PAM_PROMPT_ECHO_ON => Message::VisiblePrompt(&text),
        PAM_ERROR_MSG | PAM_TEXT_INFO => {
            conversation.note(&text);
            return Ok(ptr::null_mut());
        }
        _ => Message::Unknown,
    };
    let secret = conversation.answer(wanted).ok_or(())?.expose_secret();
    if secret.contains(&0) {
        return Err(());
    }
    // SAFETY: `calloc` has no preconditions.
    let copy = unsafe { calloc(secret.len() + 1, 1) }.cast::<u8>();
    if copy.is_null() {
        return Err(());
    }
    // SAFETY: `copy` is fresh and one byte longer than `secret`; the last byte stays the NUL. Whoever gets it wipes it:
    // libpam's modules do (`pam_overwrite_string`), and `discard` does.
    unsafe { ptr::copy_nonoverlapping(secret.as_ptr(), copy, secret.len()) };
    Ok(copy.cast())
}

/// Wipes and frees the first `count` answers and the array.
///
/// # Safety
/// `answers` is an array from `calloc` with at least `count` entries, each text null or a C string from `calloc`, and
/// nobody else uses it.
unsafe fn discard(answers: *mut PamResponse, count: usize) {
    for index in 0..count {
        // SAFETY: the caller's promise. The writes are volatile, so that they are not optimised away.
        unsafe {
            let mut byte = (*answers.add(index)).text;
            if byte.is_null() {
                continue;
            }
            while *byte != 0 {
                byte.write_volatile(0);
                byte = byte.add(1);
            }
            free((*answers.add(index)).text.cast());
        }
    }
    // SAFETY: the caller's promise.
    unsafe { free(answers.cast()) };
}
