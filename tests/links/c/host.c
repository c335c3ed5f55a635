/* A program in C with the crate in a library: linked into it (LINKED), or loaded by it.
 *
 * Its arguments are what it does, one after the other. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef void (*function)(void);

#ifdef LINKED
extern void library_work(void);
extern void library_hook(void);
extern void library_overflow(void);
extern void library_overflow_by_allocation(void);
extern void library_exceed_budget(void);

static const struct { const char *name; function function; } all[] = {
    {"library_work", library_work},
    {"library_hook", library_hook},
    {"library_overflow", library_overflow},
    {"library_overflow_by_allocation", library_overflow_by_allocation},
    {"library_exceed_budget", library_exceed_budget},
};
static const int is_linked = 1;
static void *library;
#else
static const int is_linked = 0;
static void *library;
#endif

static function find(const char *name) {
#ifdef LINKED
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i].name, name) == 0) return all[i].function;
    return NULL;
#else
    return library == NULL ? NULL : (function)dlsym(library, name);
#endif
}

/* Recursion that uses the C library's allocator, as C does: none of ours. */
static int overflow(volatile int depth) {
    volatile char here[200];
    here[depth % 200] = 1;
    return overflow(depth + 1) + here[depth % 200];
}

static void *in_thread(void *name) {
    function function = find(name);
    if (function != NULL) {
        function();
    } else if (strcmp(name, "overflow") == 0) {
        overflow(0);
    } else {
        fprintf(stderr, "%s is not known\n", (char *)name);
        exit(2);
    }
    return NULL;
}

static pthread_barrier_t used, closed;

/* Uses the library, and ends when it is closed. */
static void *user(void *nothing) {
    find("library_work")();
    pthread_barrier_wait(&used);
    pthread_barrier_wait(&closed);
    return nothing;
}

static void do_one(char *what) {
    if (strncmp(what, "thread:", 7) == 0) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, in_thread, what + 7) != 0) exit(3);
        pthread_join(thread, NULL);
    } else if (strcmp(what, "close") == 0) {
        pthread_t thread;
        pthread_barrier_init(&used, NULL, 2);
        pthread_barrier_init(&closed, NULL, 2);
        if (pthread_create(&thread, NULL, user, NULL) != 0) exit(3);
        pthread_barrier_wait(&used);
        if (is_linked || dlclose(library) != 0) exit(4);
        library = NULL;
        pthread_barrier_wait(&closed);
        pthread_join(thread, NULL);
    } else {
        in_thread(what);
    }
}

/* As many mappings as a large program has. */
static void map(int count) {
    for (int i = 0; i < count; i++) {
        /* Neighbours with the same access would be one mapping. */
        int access = i % 2 == 0 ? PROT_READ : PROT_NONE;
        void *at = mmap(NULL, 4096, access, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED) exit(6);
    }
}

int main(int count, char **arguments) {
    int next = 1;
    const char *mappings = getenv("LINKS_MAPPINGS");
    if (mappings != NULL) map(atoi(mappings));
    if (!is_linked) {
        library = dlopen(arguments[next], RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) {
            fprintf(stderr, "%s\n", dlerror());
            return 5;
        }
        next++;
    }
    for (; next < count; next++) do_one(arguments[next]);
    puts("done");
    return 0;
}
