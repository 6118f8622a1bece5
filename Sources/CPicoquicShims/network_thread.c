#include "CPicoquicShims.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct cpq_network_thread {
    picoquic_network_thread_ctx_t *loop;
    pthread_t pthread;
    picoquic_thread_fn run;
    void *run_argument;
    cpq_thread_ended_fn ended;
    void *context;
};

// picoquic's hook that makes the thread takes no argument of ours; it is called on the thread that starts the loop,
// inside the call that does so.
static _Thread_local cpq_network_thread *starting;

static void report_end(void *argument) {
    cpq_network_thread *thread = argument;
    picoquic_network_thread_ctx_t *loop = thread->run_argument;
    thread->ended(thread->context, loop->return_code);
    // The context may be gone by now; when the thread is joined, picoquic would still write to it.
    loop->quic = NULL;
}

// The loop leaves through pthread_exit, so only a cleanup handler sees its end.
static void *run(void *argument) {
    cpq_network_thread *thread = argument;
    pthread_cleanup_push(report_end, thread);
    thread->run(thread->run_argument);
    pthread_cleanup_pop(1);
    return NULL;
}

static int create(void **thread_id, picoquic_thread_fn function, void *argument) {
    cpq_network_thread *thread = starting;
    sigset_t all;
    sigset_t before;
    int outcome;
    thread->run = function;
    thread->run_argument = argument;
    // A signal that interrupts the loop's wait would end the loop, so its thread is born with all of them blocked.
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    outcome = pthread_create(&thread->pthread, NULL, run, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    *thread_id = thread;
    return outcome;
}

static void join(void **thread_id) {
    cpq_network_thread *thread = *thread_id;
    pthread_join(thread->pthread, NULL);
    *thread_id = NULL;
}

cpq_network_thread *cpq_start_network_thread(picoquic_quic_t *quic, picoquic_packet_loop_param_t *param,
                                             const char *name, picoquic_packet_loop_cb_fn callback, void *context,
                                             cpq_thread_ended_fn ended) {
    int outcome = 0;
    cpq_network_thread *thread = calloc(1, sizeof(*thread));
    if (thread == NULL) {
        return NULL;
    }
    thread->ended = ended;
    thread->context = context;
    starting = thread;
    picoquic_network_thread_ctx_t *loop = picoquic_start_custom_network_thread(quic, param, create, join, NULL, name,
                                                                               callback, context, &outcome);
    starting = NULL;
    thread->loop = loop;
    if (loop == NULL || outcome != 0) {
        if (loop != NULL) {
            picoquic_delete_network_thread(loop);
        }
        free(thread);
        return NULL;
    }
    return thread;
}

void cpq_wake_network_thread(cpq_network_thread *thread) {
    (void)picoquic_wake_up_network_thread(thread->loop);
}

void cpq_join_network_thread(cpq_network_thread *thread) {
    picoquic_delete_network_thread(thread->loop);
    free(thread);
}
