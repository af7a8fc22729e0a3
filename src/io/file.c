/* io/file.c: replacing a file so that it is old or new but never half, and reading a whole file.
 *
 * The contract is io/file.h. Next: io/safetensors.c, which stands on both. */
#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/grow.h"
#include "base/memory.h"

enum { FIRST_READ = 1 << 16, STREAM_LIMIT = 1 << 30 };

static const char *hint_for(int cause) {
    switch (cause) {
    case ENOSPC:
    case EDQUOT:
        return "free some space, or write elsewhere";
    case EFBIG:
        return "the limit on file sizes (ulimit -f) is too low";
    case EACCES:
    case EPERM:
        return "check its permissions and its folder's";
    case EROFS:
        return "the file system is read-only: write elsewhere";
    case ENOENT:
    case ENOTDIR:
        return "check the name and its folder";
    case EISDIR:
        return "name a file, not a folder";
    default:
        return NULL;
    }
}

static attn_status fail_io(attn_error *error, const char *path, const char *doing) {
    int cause = errno;
    return attn_fail(error, ATTN_ERR_IO, path, -1, hint_for(cause), "%s: %s", doing,
                     strerror(cause));
}

static bool write_all(int fd, const attn_bytes *pieces, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const char *data = pieces[i].data;
        size_t left = pieces[i].size;
        while (left > 0) {
            ssize_t written = write(fd, data, left < SSIZE_MAX ? left : SSIZE_MAX);
            if (written < 0 && errno == EINTR) {
                continue;
            }
            if (written <= 0) {
                return false;
            }
            data += written;
            left -= (size_t)written;
        }
    }
    return true;
}

/* A pipe or a device is there to be written to, not to be replaced by a file. */
static attn_status write_straight(const char *path, const attn_bytes *pieces, size_t count,
                                  attn_error *error) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return fail_io(error, path, "cannot open for writing");
    }
    attn_status status = ATTN_OK;
    if (!write_all(fd, pieces, count)) {
        status = fail_io(error, path, "cannot write");
    }
    if (close(fd) != 0 && status == ATTN_OK) {
        status = fail_io(error, path, "cannot write");
    }
    return status;
}

/* After a power cut a rename is only there if the folder was written out too. Some file systems
 * cannot do that for folders, and a folder may be writable but not readable: both are let pass. */
static attn_status sync_folder(const char *path, attn_error *error) {
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    if (length >= sizeof folder) {
        return ATTN_OK;
    }
    memcpy(folder, slash == NULL ? "." : path, slash == NULL ? 1 : length);
    folder[slash == NULL ? 1 : length] = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return ATTN_OK;
    }
    attn_status status = ATTN_OK;
    if (fsync(fd) != 0 && errno == EIO) {
        status = fail_io(error, folder, "cannot write the folder to the device");
    }
    close(fd);
    return status;
}

/* A new file PATH.PROCESS-NUMBER.tmp. A process of the same number may have been killed and left one behind: in a container
 * it always has the same number. -1: errno says why. */
static int open_temporary(const char *path, char *temporary, size_t size) {
    static atomic_uint serial;
    int fd = -1, tries = 0;
    do {
        int length = snprintf(temporary, size, "%s.%ld-%u.tmp", path, (long)getpid(),
                              atomic_fetch_add(&serial, 1));
        if (length < 0 || (size_t)length >= size) {
            errno = ENAMETOOLONG;
            return -1;
        }
        fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (fd < 0 && errno == EEXIST && ++tries < 1000);
    return fd;
}

/* Whether `name` is BASE.DIGITS-DIGITS.tmp. */
static bool is_temporary(const char *name, const char *base, size_t length) {
    static const char digits[] = "0123456789";
    if (strncmp(name, base, length) != 0 || name[length] != '.') {
        return false;
    }
    const char *process = name + length + 1, *number = process + strspn(process, digits);
    if (number == process || *number != '-') {
        return false;
    }
    const char *end = number + 1 + strspn(number + 1, digits);
    return end > number + 1 && strcmp(end, ".tmp") == 0;
}

void attn_file_remove_stale(const char *path) {
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path;
    int length = snprintf(folder, sizeof folder, "%.*s", (int)(base - path), path);
    if (length < 0 || (size_t)length >= sizeof folder) {
        return;
    }
    DIR *listing = opendir(folder[0] != '\0' ? folder : ".");
    struct dirent *entry;
    while (listing != NULL && (entry = readdir(listing)) != NULL) {
        if (is_temporary(entry->d_name, base, strlen(base))) {
            (void)unlinkat(dirfd(listing), entry->d_name, 0);
        }
    }
    if (listing != NULL) {
        closedir(listing);
    }
}

/* old: what path is now, NULL when there is none; the new file takes over its permissions. */
static attn_status replace_regular(const char *path, const struct stat *old,
                                   const attn_bytes *pieces, size_t count, attn_error *error) {
    char temporary[PATH_MAX];
    int fd = open_temporary(path, temporary, sizeof temporary);
    if (fd < 0) {
        return fail_io(error, path, "cannot create a file in its folder");
    }
    bool written = (old == NULL || fchmod(fd, old->st_mode & 07777) == 0) &&
                   write_all(fd, pieces, count) && fsync(fd) == 0;
    attn_status status = written ? ATTN_OK : fail_io(error, path, "cannot write");
    if (close(fd) != 0 && status == ATTN_OK) {
        status = fail_io(error, path, "cannot write");
    }
    if (status == ATTN_OK && rename(temporary, path) != 0) {
        status = fail_io(error, path, "cannot replace");
    }
    if (status != ATTN_OK) {
        unlink(temporary);
        return status;
    }
    return sync_folder(path, error);
}

attn_status attn_file_replace(const char *path, const attn_bytes *pieces, size_t count,
                              attn_error *error) {
    struct stat old;
    if (stat(path, &old) != 0) {
        return replace_regular(path, NULL, pieces, count, error);
    }
    if (S_ISDIR(old.st_mode)) {
        errno = EISDIR;
        return fail_io(error, path, "cannot write");
    }
    if (!S_ISREG(old.st_mode)) {
        return write_straight(path, pieces, count, error);
    }
    /* A symbolic link stays one: what it points at is replaced. */
    char target[PATH_MAX];
    const char *place = realpath(path, target) != NULL ? target : path;
    return replace_regular(place, &old, pieces, count, error);
}

static attn_status too_large(const char *path, size_t limit, attn_error *error) {
    return attn_fail(error, ATTN_ERR_FORMAT, path, -1, "is it the file you meant?",
                     "the file is larger than %zu bytes", limit);
}

/* The file may grow or shrink meanwhile, so only read() says where its end is. */
static attn_status read_all(int fd, const char *path, size_t limit, size_t expected, char **data,
                            size_t *size, attn_error *error) {
    size_t capacity = expected;
    size_t used = 0;
    attn_status status = ATTN_OK;
    char *bytes = attn_alloc(capacity);
    if (bytes == NULL) {
        return attn_fail_memory(error, capacity);
    }
    for (;;) {
        if (!attn_grow(&bytes, &capacity, used + 1, 1)) {
            status = attn_fail_memory(error, capacity);
            goto out;
        }
        size_t room = capacity - used;
        ssize_t got = read(fd, bytes + used, room < SSIZE_MAX ? room : SSIZE_MAX);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            status = fail_io(error, path, "cannot read");
            goto out;
        }
        if (got == 0) {
            break;
        }
        used += (size_t)got;
        if (limit != 0 && used > limit) {
            status = too_large(path, limit, error);
            goto out;
        }
    }
    /* read() had room for at least one byte more when it found the end. */
    bytes[used] = '\0';
    *data = bytes;
    *size = used;
    bytes = NULL;
out:
    attn_free(bytes);
    return status;
}

attn_status attn_file_read(const char *path, size_t limit, char **data, size_t *size,
                           attn_error *error) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return fail_io(error, path, "cannot open");
    }
    attn_status status;
    struct stat info;
    if (fstat(fd, &info) != 0) {
        status = fail_io(error, path, "cannot read");
        goto out;
    }
    size_t expected = FIRST_READ;
    if (!S_ISREG(info.st_mode)) {
        limit = limit != 0 ? limit : STREAM_LIMIT;
    } else if (limit != 0 && (uintmax_t)info.st_size > limit) {
        status = too_large(path, limit, error);
        goto out;
    } else if ((uintmax_t)info.st_size >= SIZE_MAX / 2) {
        status = attn_fail_memory(error, SIZE_MAX);
        goto out;
    } else {
        expected = (size_t)info.st_size + 1;
    }
    status = read_all(fd, path, limit, expected, data, size, error);
out:
    close(fd);
    return status;
}
