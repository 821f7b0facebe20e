/* A PAM module that does what its argument says. Declarations by hand: the tests need no headers of PAM. */
#include <stddef.h>
#include <string.h>

#define SUCCESS 0
#define AUTH_ERR 7
#define USER 2
#define CONV 5
#define ECHO_OFF 1
#define ECHO_ON 2

struct message { int style; const char *text; };
struct response { char *text; int code; };
struct conversation {
    int (*function)(int, const struct message **, struct response **, void *);
    void *data;
};

int pam_get_item(const void *handle, int item, const void **value);
int pam_set_item(void *handle, int item, const void *value);

static int ask(void *handle, int count, int first_style, int second_style)
{
    const struct conversation *conversation = NULL;
    const struct message messages[2] = { { first_style, "Password: " }, { second_style, "One-time code: " } };
    const struct message *list[2] = { &messages[0], &messages[1] };
    struct response *responses = NULL;
    if (pam_get_item(handle, CONV, (const void **)&conversation) != SUCCESS || conversation == NULL)
        return AUTH_ERR;
    return conversation->function(count, list, &responses, conversation->data);
}

int pam_sm_authenticate(void *handle, int flags, int argc, const char **argv)
{
    const char *task = argc > 0 ? argv[0] : "";
    (void)flags;
    if (strcmp(task, "ask-once") == 0)
        return ask(handle, 1, ECHO_OFF, 0);
    if (strcmp(task, "ask-twice") == 0)
        return ask(handle, 1, ECHO_OFF, 0) || ask(handle, 1, ECHO_OFF, 0) ? AUTH_ERR : SUCCESS;
    if (strcmp(task, "ask-two-at-once") == 0)
        return ask(handle, 2, ECHO_OFF, ECHO_OFF) ? AUTH_ERR : SUCCESS;
    if (strcmp(task, "ask-visibly") == 0)
        return ask(handle, 1, ECHO_ON, 0) ? AUTH_ERR : SUCCESS;
    if (strcmp(task, "ask-twice-and-not-care") == 0) {
        ask(handle, 1, ECHO_OFF, 0);
        ask(handle, 1, ECHO_OFF, 0);
        return SUCCESS;
    }
    if (strcmp(task, "change-the-user") == 0)
        return pam_set_item(handle, USER, "root");
    return AUTH_ERR;
}

int pam_sm_setcred(void *handle, int flags, int argc, const char **argv)
{
    (void)handle, (void)flags, (void)argc, (void)argv;
    return SUCCESS;
}

int pam_sm_acct_mgmt(void *handle, int flags, int argc, const char **argv)
{
    (void)handle, (void)flags, (void)argc, (void)argv;
    return SUCCESS;
}
