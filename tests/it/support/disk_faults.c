/* Makes a disk fail for one process: loaded before libc with LD_PRELOAD, it stands in front of the calls by which SQLite
 * reads and writes, and lets those below the folder DENIZEN_TEST_FAULTY fail as the first byte of the file
 * DENIZEN_TEST_FAULT says: F, the disk is full; I, one call in eight is an input/output error; R, it was mounted anew
 * for reading only; anything else, nothing fails. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

static const char *fault = "";
static const char *folder = NULL;
static unsigned int calls = 0;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("DENIZEN_TEST_FAULT");
  folder = getenv("DENIZEN_TEST_FAULTY");
  if (path == NULL || folder == NULL) return;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  void *shared = fd < 0 ? MAP_FAILED : mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);
  if (shared != MAP_FAILED) fault = shared;
}

static int below(const char *path) { return folder != NULL && strncmp(path, folder, strlen(folder)) == 0; }

static int concerned(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return below(path);
}

/* The error of this call, or none. */
static int error_of(int fd, int writes) {
  char kind = *(volatile const char *)fault;
  if (kind != 'F' && kind != 'I' && kind != 'R') return 0;
  int error = kind == 'F' ? ENOSPC : kind == 'R' ? EROFS : EIO;
  if (kind != 'I' && !writes) return 0;
  if (kind == 'I' && __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED) % 8 != 0) return 0;
  int saved = errno;
  int hit = concerned(fd);
  errno = saved;
  return hit ? error : 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define STAND_IN(type, name, parameters, arguments, writes)  \
  type name parameters {                                     \
    static __typeof__(&name) real = NULL;                    \
    if (real == NULL) real = REAL(name);                     \
    int error = error_of(fd, writes);                        \
    if (error != 0) { errno = error; return -1; }            \
    return real arguments;                                   \
  }

STAND_IN(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size), 1)
STAND_IN(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at), 1)
STAND_IN(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at), 1)
STAND_IN(ssize_t, read, (int fd, void *data, size_t size), (fd, data, size), 0)
STAND_IN(ssize_t, pread, (int fd, void *data, size_t size, off_t at), (fd, data, size, at), 0)
STAND_IN(ssize_t, pread64, (int fd, void *data, size_t size, off64_t at), (fd, data, size, at), 0)
STAND_IN(int, ftruncate, (int fd, off_t size), (fd, size), 1)
STAND_IN(int, ftruncate64, (int fd, off64_t size), (fd, size), 1)
STAND_IN(int, fsync, (int fd), (fd), 1)
STAND_IN(int, fdatasync, (int fd), (fd), 1)

/* A file system that is mounted for reading opens nothing for writing. */
static int refused(const char *path, int flags) {
  if (*(volatile const char *)fault != 'R' || (flags & (O_WRONLY | O_RDWR | O_CREAT)) == 0) return 0;
  return below(path);
}

#define OPENS(name)                                          \
  int name(const char *path, int flags, ...) {               \
    static int (*real)(const char *, int, ...) = NULL;       \
    if (real == NULL) real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name); \
    va_list rest;                                            \
    va_start(rest, flags);                                   \
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                            \
    if (refused(path, flags)) { errno = EROFS; return -1; }  \
    return real(path, flags, mode);                          \
  }

OPENS(open)
OPENS(open64)
