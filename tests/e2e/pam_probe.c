/* A PAM module that does what its argument says. Declarations by hand: the tests need no headers of PAM. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define SUCCESS 0
#define AUTH_ERR 7
#define USER 2
#define CONV 5
#define ECHO_OFF 1
#define ECHO_ON 2
#define TEXT_INFO 4

struct message { int style; const char *text; };
struct response { char *text; int code; };
struct conversation {
    int (*function)(int, const struct message **, struct response **, void *);
    void *data;
};

int pam_get_item(const void *handle, int item, const void **value);
int pam_set_item(void *handle, int item, const void *value);

/* More than any module may send at a time (32). */
#define MOST 40

/* Sends messages as they are, and frees the answers as a module has to. */
static int converse(void *handle, int count, const struct message **list)
{
    const struct conversation *conversation = NULL;
    struct response *responses = NULL;
    int status, index;
    if (pam_get_item(handle, CONV, (const void **)&conversation) != SUCCESS || conversation == NULL)
        return AUTH_ERR;
    status = conversation->function(count, list, &responses, conversation->data);
    if (status == SUCCESS && responses != NULL) {
        for (index = 0; index < count; index++)
            free(responses[index].text);
        free(responses);
    }
    return status;
}

static int ask(void *handle, int count, int first_style, int second_style)
{
    const struct message messages[2] = { { first_style, "Password: " }, { second_style, "One-time code: " } };
    const struct message *list[MOST];
    int index;
    for (index = 0; index < MOST; index++)
        list[index] = &messages[index ? 1 : 0];
    return converse(handle, count, list);
}

static int ask_without_text(void *handle)
{
    const struct message message = { ECHO_OFF, NULL };
    const struct message *list[1] = { &message };
    return converse(handle, 1, list);
}

static int ask_without_message(void *handle)
{
    const struct message *list[1] = { NULL };
    return converse(handle, 1, list);
}

int pam_sm_authenticate(void *handle, int flags, int argc, const char **argv)
{
    const char *task = argc > 0 ? argv[0] : "";
    (void)flags;
    if (strcmp(task, "ask-once") == 0)
        return ask(handle, 1, ECHO_OFF, 0);
    if (strcmp(task, "talk-and-ask") == 0)
        return ask(handle, 1, TEXT_INFO, 0) || ask(handle, 2, ECHO_OFF, TEXT_INFO);
    if (strcmp(task, "ask-without-text") == 0)
        return ask_without_text(handle);
    if (strcmp(task, "ask-without-message") == 0)
        return ask_without_message(handle) ? AUTH_ERR : SUCCESS;
    if (strcmp(task, "ask-nothing") == 0)
        return ask(handle, 0, ECHO_OFF, 0) == SUCCESS || ask(handle, -1, ECHO_OFF, 0) == SUCCESS ? SUCCESS : AUTH_ERR;
    if (strcmp(task, "ask-too-much") == 0)
        return ask(handle, MOST, TEXT_INFO, TEXT_INFO) ? AUTH_ERR : SUCCESS;
    if (strcmp(task, "ask-strangely") == 0)
        return ask(handle, 2, ECHO_OFF, 99) ? AUTH_ERR : SUCCESS;
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
