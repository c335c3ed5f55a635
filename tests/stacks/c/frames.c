/* Ways to use a stack that only C has: frames that nobody probes, threads that never call Rust. */

#define _GNU_SOURCE
#include <alloca.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>
#include <unistd.h>

#define NEVER_INLINE __attribute__((noinline, noclone))

/* Keeps the compiler from knowing. */
static volatile size_t zero;

/* Recursion by small frames. */
NEVER_INLINE size_t frames_small(size_t depth) {
    volatile size_t here[4] = {depth};
    return frames_small(depth + 1) + here[zero];
}

/* Frames of a size that leaps over a guard. Touched first at their lower end. */
#define LEAP(name, bytes)                                                                          \
    NEVER_INLINE size_t name(size_t depth) {                                                       \
        volatile char here[bytes];                                                                 \
        here[zero] = (char)depth;                                                                  \
        return name(depth + 1) + (size_t)here[zero];                                               \
    }
LEAP(frames_of_64_kib, 64 << 10)
LEAP(frames_of_3_mb, 3000000)
LEAP(frames_of_100_mb, 100000000)

/* One frame of so many bytes, touched first in its middle. */
NEVER_INLINE size_t frames_middle(size_t bytes) {
    volatile char *more = alloca(bytes);
    more[bytes / 2] = 1;
    return (size_t)more[bytes / 2];
}

/* One frame that grows in a loop. */
NEVER_INLINE size_t frames_alloca(size_t bytes) {
    size_t sum = 0;
    for (;;) {
        volatile char *more = alloca(bytes);
        more[0] = (char)sum;
        sum += (size_t)more[zero];
    }
    return sum;
}

/* Recursion whose leaf is `malloc`, so that the end of the stack comes in there sooner or later. */
static void *volatile kept;

NEVER_INLINE size_t frames_malloc_from(size_t depth) {
    volatile size_t here[2] = {depth};
    void *block = kept = malloc(16 + depth % 4096);
    size_t sum = frames_malloc_from(depth + 1) + here[zero];
    free(block);
    return sum;
}

NEVER_INLINE size_t frames_malloc(size_t padding) {
    volatile char *more = alloca(padding + 1);
    more[padding] = 1;
    return frames_malloc_from(0) + (size_t)more[padding];
}

/* C that calls Rust that calls C. */
NEVER_INLINE size_t frames_mutual(size_t depth, size_t (*other)(size_t)) {
    volatile size_t here[4] = {depth};
    return other(depth + 1) + here[zero];
}

static void *small(void *depth) { return (void *)frames_small((size_t)depth); }
static void *leap(void *depth) { return (void *)frames_of_3_mb((size_t)depth); }

static int small11(void *depth) { return (int)frames_small((size_t)depth); }

/* The same by `thrd_create`. */
int frames_thrd(void) {
    thrd_t thread;
    if (thrd_create(&thread, small11, NULL) != thrd_success) {
        return 1;
    }
    for (;;) {
        pause();
    }
}

static int leaves(void *number) { thrd_exit((int)(size_t)number); }
static int negates(void *number) { return -(int)(size_t)number; }

/* What such threads are given, and give back: whether all is as it should be. */
int frames_thrd_results(void) {
    for (int i = 1; i < 100; i++) {
        thrd_t one, other;
        int result;
        if (thrd_create(&one, leaves, (void *)(size_t)i) != thrd_success ||
            thrd_create(&other, negates, (void *)(size_t)i) != thrd_success) {
            return 1;
        }
        if (thrd_join(one, &result) != thrd_success || result != i) {
            return 2;
        }
        if (thrd_join(other, &result) != thrd_success || result != -i) {
            return 3;
        }
    }
    return 0;
}

/* Starts a thread of C code alone, which overflows its stack, and waits for ever. */
int frames_thread(size_t stack_bytes, int how) {
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    if (stack_bytes) {
        pthread_attr_setstacksize(&attributes, stack_bytes);
    }
    if (how == 1) {
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    }
    if (how == 2) {
        pthread_attr_setguardsize(&attributes, 0);
    }
    int error = pthread_create(&thread, &attributes, how == 3 ? leap : small, NULL);
    if (error) {
        return error;
    }
    for (;;) {
        pause();
    }
}

/* What ends a thread besides its return. */
static void count(void *counter) { ++*(volatile size_t *)counter; }

static void *exits(void *counter) {
    pthread_cleanup_push(count, counter);
    pthread_exit((void *)42);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *waits(void *counter) {
    pthread_cleanup_push(count, counter);
    for (;;) {
        pause();
    }
    pthread_cleanup_pop(0);
    return NULL;
}

/* A thread that ends by `pthread_exit` or by cancellation: whether all is as it should be. */
int frames_unwind(int cancel) {
    size_t counter = 0;
    pthread_t thread;
    void *result;
    if (pthread_create(&thread, NULL, cancel ? waits : exits, &counter)) {
        return 1;
    }
    if (cancel && pthread_cancel(thread)) {
        return 2;
    }
    if (pthread_join(thread, &result)) {
        return 3;
    }
    return counter == 1 && result == (cancel ? PTHREAD_CANCELED : (void *)42) ? 0 : 4;
}

static void *twice(void *number) { return (void *)(2 * (size_t)number); }

/* Threads get their arguments, and their results come back. */
int frames_arguments(size_t threads) {
    pthread_t all[64];
    for (size_t done = 0; done < threads; done += 64) {
        for (size_t i = 0; i < 64; i++) {
            if (pthread_create(&all[i], NULL, twice, (void *)(done + i))) {
                return 1;
            }
        }
        for (size_t i = 0; i < 64; i++) {
            void *result;
            pthread_join(all[i], &result);
            if (result != (void *)(2 * (done + i))) {
                return 2;
            }
        }
    }
    return 0;
}

/* The error of a thread that cannot be: too large a stack, or a processor that is not there. */
int frames_refused(int after_its_birth) {
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    if (after_its_birth) {
        cpu_set_t processors;
        CPU_ZERO(&processors);
        CPU_SET(CPU_SETSIZE - 1, &processors);
        pthread_attr_setaffinity_np(&attributes, sizeof processors, &processors);
    } else {
        pthread_attr_setstacksize(&attributes, (size_t)1 << 46);
    }
    int error = pthread_create(&thread, &attributes, twice, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}
