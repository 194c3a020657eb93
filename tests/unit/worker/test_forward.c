/* test_forward.c - connections carried from one port to another. */
#include "testing.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "worker/forward.h"
#include "worker/report.h"

#define PATIENCE_S 20

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* A listening socket on a port that nobody had. */
static int listen_anywhere(uint16_t *out_port)
{
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *out_port = ntohs(address.sin_port);
    return fd;
}

static uint16_t free_port(void)
{
    uint16_t port;
    close(listen_anywhere(&port));
    return port;
}

static int connect_to(uint16_t port)
{
    const struct sockaddr_in address = loopback(port);
    const struct timeval patience = { PATIENCE_S, 0 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void send_all(int fd, const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t put = send(fd, data + at, size - at, MSG_NOSIGNAL);
        assert_true(put > 0);
        at += (size_t)put;
    }
}

static void assert_receives(int fd, const uint8_t *data, size_t size)
{
    uint8_t buffer[16 * KiB];
    for (size_t at = 0; at < size;) {
        ssize_t got = recv(fd, buffer, MIN(sizeof(buffer), size - at), 0);
        assert_true(got > 0);
        assert_memory_equal(buffer, data + at, (size_t)got);
        at += (size_t)got;
    }
}

static void assert_ended(int fd)
{
    uint8_t byte;
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

static uint8_t *noise(Ctx *ctx, size_t size)
{
    uint8_t *data = arena_must(ctx->arena, size);
    uint32_t seed = 1;
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
    return data;
}

typedef struct Sender {
    int fd;
    const uint8_t *data;
    size_t size;
} Sender;

static void *send_and_end(void *arg)
{
    const Sender *sender = arg;
    send_all(sender->fd, sender->data, sender->size);
    shutdown(sender->fd, SHUT_WR);
    return NULL;
}

/* More than all buffers on the way hold, both ways at once. */
static void bytes_arrive_as_they_were_sent(void **state UNUSED)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    const size_t size = 20 * MiB;
    uint8_t *data = noise(&ctx, size);
    uint16_t to, from = free_port();
    AUTO_FD listener = listen_anywhere(&to);
    CLEANUP(forward_closep) Forward *forward = NULL;
    assert_ok(forward_open(&ctx, "127.0.0.1", from, to, false, &forward));
    AUTO_FD client = connect_to(from);
    AUTO_FD service = accept(listener, NULL, NULL);
    Sender there = { client, data, size }, back = { service, data, size / 2 };
    pthread_t threads[2];
    assert_int_equal(pthread_create(&threads[0], NULL, send_and_end, &there), 0);
    assert_receives(service, data, size);
    assert_ended(service); /* the end is passed on; the other way is still open */
    assert_int_equal(pthread_create(&threads[1], NULL, send_and_end, &back), 0);
    assert_receives(client, data, size / 2);
    assert_ended(client);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
}

static void one_that_does_not_read_holds_up_nobody(void **state UNUSED)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    uint8_t *data = noise(&ctx, 64 * KiB);
    uint16_t to, from = free_port();
    AUTO_FD listener = listen_anywhere(&to);
    CLEANUP(forward_closep) Forward *forward = NULL;
    assert_ok(forward_open(&ctx, "127.0.0.1", from, to, false, &forward));
    AUTO_FD stuck = connect_to(from);
    AUTO_FD unread = accept(listener, NULL, NULL);
    struct pollfd writable = { .fd = stuck, .events = POLLOUT };
    while (poll(&writable, 1, 200) > 0) /* until everything on the way is full */
        assert_true(send(stuck, data, 4 * KiB, MSG_NOSIGNAL | MSG_DONTWAIT) > 0);
    AUTO_FD client = connect_to(from);
    AUTO_FD service = accept(listener, NULL, NULL);
    send_all(client, data, 64 * KiB);
    assert_receives(service, data, 64 * KiB);
    assert_true(unread >= 0);
}

static void a_client_is_hung_up_on_where_nobody_listens(void **state UNUSED)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    uint16_t to = free_port(), from = free_port();
    CLEANUP(forward_closep) Forward *forward = NULL;
    assert_ok(forward_open(&ctx, "127.0.0.1", from, to, false, &forward));
    for (int i = 0; i < 3; i++) {
        AUTO_FD client = connect_to(from);
        uint8_t byte;
        assert_true(recv(client, &byte, 1, 0) <= 0);
    }
}

static void more_connections_than_fit_wait_for_their_turn(void **state UNUSED)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    uint16_t to, from = free_port();
    AUTO_FD listener = listen_anywhere(&to);
    CLEANUP(forward_closep) Forward *forward = NULL;
    assert_ok(forward_open(&ctx, "127.0.0.1", from, to, false, &forward));
    for (int i = 0; i < 2 * FORWARD_CONNECTIONS_MAX; i++) {
        AUTO_FD client = connect_to(from);
        AUTO_FD service = accept(listener, NULL, NULL);
        send_all(client, (const uint8_t *)"x", 1);
        assert_receives(service, (const uint8_t *)"x", 1);
    }
}

/* Answers one question at a door as `kind` says. */
typedef enum DoorKind { DOOR_SOCKET, DOOR_NOTHING, DOOR_FILE, DOOR_CLOSES } DoorKind;

typedef struct Door {
    int fd;
    DoorKind kind;
} Door;

static void *answer_once(void *arg)
{
    const Door *door = arg;
    char question;
    assert_int_equal(recv(door->fd, &question, 1, 0), 1);
    AUTO_FD made = door->kind == DOOR_SOCKET ? socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)
                   : door->kind == DOOR_FILE ? open("/dev/null", O_RDWR | O_CLOEXEC)
                                             : -1;
    if (door->kind == DOOR_CLOSES)
        shutdown(door->fd, SHUT_RDWR);
    else
        assert_true(report_send(door->fd, REPORT_DOOR, 0, made, ""));
    return NULL;
}

/* One that gives no socket costs its caller the connection, and no more. */
static void doors_are_not_trusted(void **state UNUSED)
{
    static const DoorKind kinds[] = { DOOR_SOCKET, DOOR_NOTHING, DOOR_FILE, DOOR_CLOSES,
                                      DOOR_SOCKET };
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    uint16_t to, from = free_port();
    AUTO_FD listener = listen_anywhere(&to);
    CLEANUP(forward_closep) Forward *forward = NULL;
    assert_ok(forward_open(&ctx, "127.0.0.1", from, to, true, &forward));
    AUTO_FD early = connect_to(from); /* there is no door yet */
    assert_true(recv(early, (uint8_t[1]){ 0 }, 1, 0) <= 0);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        int pair[2];
        pthread_t thread;
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        Door door = { pair[0], kinds[i] };
        forward_set_door(forward, pair[1]);
        assert_int_equal(pthread_create(&thread, NULL, answer_once, &door), 0);
        AUTO_FD client = connect_to(from);
        if (kinds[i] == DOOR_SOCKET) {
            AUTO_FD service = accept(listener, NULL, NULL);
            send_all(client, (const uint8_t *)"x", 1);
            assert_receives(service, (const uint8_t *)"x", 1);
        } else {
            assert_true(recv(client, (uint8_t[1]){ 0 }, 1, 0) <= 0);
        }
        pthread_join(thread, NULL);
        close(pair[0]);
    }
}

static void a_taken_port_is_named(void **state UNUSED)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    uint16_t taken;
    Forward *forward = NULL;
    AUTO_FD listener = listen_anywhere(&taken);
    const char *expected = text_printf(ctx.arena, "port %u of 127.0.0.1 is already in use", taken);
    Status s = forward_open(&ctx, "127.0.0.1", taken, 1, false, &forward);
    assert_int_equal(s.code, STATUS_FAILED_PRECONDITION);
    assert_string_equal(status_message(s), expected);
    assert_int_equal(forward_port_is_free(&ctx, taken).code, STATUS_FAILED_PRECONDITION);
    fd_closep(&listener);
    assert_ok(forward_port_is_free(&ctx, taken));
    s = forward_open(&ctx, "nowhere", taken, 1, false, &forward);
    assert_int_equal(s.code, STATUS_INVALID_ARGUMENT);
    assert_null(forward);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_arrive_as_they_were_sent),
        cmocka_unit_test(one_that_does_not_read_holds_up_nobody),
        cmocka_unit_test(a_client_is_hung_up_on_where_nobody_listens),
        cmocka_unit_test(more_connections_than_fit_wait_for_their_turn),
        cmocka_unit_test(doors_are_not_trusted),
        cmocka_unit_test(a_taken_port_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
