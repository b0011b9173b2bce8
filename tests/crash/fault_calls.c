/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every libc call that changes what is on disk, put in front of the real one.
 *
 * These are the names that programs call, in both spellings of large files.
 * What libc calls inside itself cannot be seen; of what changes files that is
 * mkdtemp(), mkstemp() and stdio, which are here for that reason. Nothing of
 * ours writes through stdio below the root; fopen() for writing aborts there.
 */
#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* libc's prototypes say "nonnull"; these look anyway. */
#define SHOWN __attribute__((visibility("default")))

struct place {
	char path[FAULT_PATH_MAX];
	bool is_ours;
};

/* The path of an open file or directory; of one without a name, nothing. */
static bool path_of_fd(int fd, char out[FAULT_PATH_MAX])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = syscall(SYS_readlink, link, out, FAULT_PATH_MAX - 1);
	out[n > 0 ? n : 0] = '\0';
	return n > 0 && out[0] == '/';
}

static struct place place_of_fd(int fd)
{
	struct place p = { .is_ours = false };

	p.is_ours = path_of_fd(fd, p.path) && fault_is_ours(p.path);
	return p;
}

static struct place place_of(int at, const char *path)
{
	char dir[FAULT_PATH_MAX] = "";
	struct place p = { .is_ours = false };

	if (path[0] == '/')
		snprintf(p.path, sizeof p.path, "%s", path);
	else if (at == AT_FDCWD ? !!getcwd(dir, sizeof dir)
				: path_of_fd(at, dir))
		if ((size_t)snprintf(p.path, sizeof p.path, "%s/%s", dir,
				     path) >= sizeof p.path)
			abort();
	p.is_ours = fault_is_ours(p.path);
	return p;
}

static int fail(const struct fault_call *call, int number)
{
	errno = number;
	fault_leave(call, false, NULL, 0, 0);
	return -1;
}

/* A call that is made whole or not at all; `note` is for the log. */
#define CALL(p, kind, target, note, ...)                              \
	do {                                                          \
		struct fault_call call_ = { kind, (p).path, target }; \
		int number_ = 0;                                      \
		long result_;                                         \
                                                                      \
		if (!(p).is_ours)                                     \
			return (int)syscall(__VA_ARGS__);             \
		number_ = fault_enter(&call_, 0, NULL);               \
		if (number_)                                          \
			return fail(&call_, number_);                 \
		result_ = syscall(__VA_ARGS__);                       \
		fault_leave(&call_, result_ >= 0, NULL, 0, note);     \
		return (int)result_;                                  \
	} while (0)

/* -- opening -------------------------------------------------------------- */

static int open_at(int at, const char *path, int flags, mode_t mode)
{
	struct place p = { .is_ours = false };
	struct stat st;

	/* A file without a name leaves nothing behind. */
	if ((flags & O_TMPFILE) != O_TMPFILE && (flags & (O_CREAT | O_TRUNC)))
		p = place_of(at, path);
	if (p.is_ours && !(flags & O_TRUNC) && !lstat(p.path, &st))
		p.is_ours = false; /* O_CREAT of what is there does nothing */
	CALL(p, OP_CREATE, NULL, 0, SYS_openat, at, path, flags, mode);
}

#define MODE_OF(flags, mode)                   \
	mode_t mode = 0;                       \
	if ((flags) & (O_CREAT | O_TMPFILE)) { \
		va_list list_;                 \
		va_start(list_, flags);        \
		mode = va_arg(list_, mode_t);  \
		va_end(list_);                 \
	}

SHOWN int open(const char *path, int flags, ...)
{
	MODE_OF(flags, mode)
	return open_at(AT_FDCWD, path, flags, mode);
}

SHOWN int open64(const char *path, int flags, ...)
{
	MODE_OF(flags, mode)
	return open_at(AT_FDCWD, path, flags, mode);
}

SHOWN int openat(int at, const char *path, int flags, ...)
{
	MODE_OF(flags, mode)
	return open_at(at, path, flags, mode);
}

SHOWN int openat64(int at, const char *path, int flags, ...)
{
	MODE_OF(flags, mode)
	return open_at(at, path, flags, mode);
}

SHOWN int creat(const char *path, mode_t mode)
{
	return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

SHOWN int creat64(const char *path, mode_t mode)
{
	return creat(path, mode);
}

/* What _FORTIFY_SOURCE makes of open() with flags that it cannot see. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int at, const char *path, int flags);
int __openat64_2(int at, const char *path, int flags);

SHOWN int __open_2(const char *path, int flags)
{
	return open_at(AT_FDCWD, path, flags, 0);
}

SHOWN int __open64_2(const char *path, int flags)
{
	return open_at(AT_FDCWD, path, flags, 0);
}

SHOWN int __openat_2(int at, const char *path, int flags)
{
	return open_at(at, path, flags, 0);
}

SHOWN int __openat64_2(int at, const char *path, int flags)
{
	return open_at(at, path, flags, 0);
}

static FILE *open_stream(const char *name, const char *path, const char *mode)
{
	FILE *(*real)(const char *, const char *);
	void *symbol = dlsym(RTLD_NEXT, name);

	if (strpbrk(mode, "wa+") && place_of(AT_FDCWD, path).is_ours)
		abort();
	memcpy(&real, &symbol, sizeof real);
	return real(path, mode);
}

SHOWN FILE *fopen(const char *path, const char *mode)
{
	return open_stream("fopen", path, mode);
}

SHOWN FILE *fopen64(const char *path, const char *mode)
{
	return open_stream("fopen64", path, mode);
}

/* -- names that nobody has ------------------------------------------------- */

/* Put letters for the six X at the end of the template, less `tail`. */
static void letters_put(char *template, size_t tail)
{
	static uint32_t n;
	char *x = template + strlen(template) - tail - 6;
	uint32_t v = __atomic_add_fetch(&n, 1, __ATOMIC_RELAXED) +
		     (uint32_t)getpid() * 4096;

	for (int i = 0; i < 6; i++, v /= 26)
		x[i] = (char)('a' + v % 26);
}

static void letters_take_back(char *template, size_t tail)
{
	memcpy(template + strlen(template) - tail - 6, "XXXXXX", 6);
}

static int temp_open(char *template, size_t tail, int flags)
{
	int fd;

	do {
		letters_put(template, tail);
		fd = open_at(AT_FDCWD, template,
			     (flags & ~O_ACCMODE) | O_RDWR | O_CREAT | O_EXCL,
			     0600);
		if (fd < 0)
			letters_take_back(template, tail);
	} while (fd < 0 && errno == EEXIST);
	return fd;
}

SHOWN int mkstemp(char *template)
{
	return temp_open(template, 0, 0);
}

SHOWN int mkstemp64(char *template)
{
	return temp_open(template, 0, 0);
}

SHOWN int mkostemp(char *template, int flags)
{
	return temp_open(template, 0, flags);
}

SHOWN int mkostemp64(char *template, int flags)
{
	return temp_open(template, 0, flags);
}

SHOWN int mkostemps(char *template, int tail, int flags)
{
	return temp_open(template, (size_t)tail, flags);
}

SHOWN char *mkdtemp(char *template)
{
	int result;

	do {
		letters_put(template, 0);
		result = mkdir(template, 0700);
		if (result < 0)
			letters_take_back(template, 0);
	} while (result < 0 && errno == EEXIST);
	return result < 0 ? NULL : template;
}

/* -- writing -------------------------------------------------------------- */

/* Where a write without an offset goes. */
static off_t write_offset(int fd)
{
	struct stat st;
	int flags = (int)syscall(SYS_fcntl, fd, F_GETFL);

	if (flags >= 0 && (flags & O_APPEND) && !fstat(fd, &st))
		return st.st_size;
	return (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR);
}

static ssize_t write_at(int fd, const void *data, size_t n, off_t offset)
{
	struct place p = place_of_fd(fd);
	struct fault_call call = { OP_WRITE, p.path, NULL };
	bool has_offset = offset >= 0;
	size_t part = n;
	ssize_t done;
	int number;

	if (p.is_ours) {
		number = fault_enter(&call, n, &part);
		if (number)
			return fail(&call, number);
		if (!has_offset)
			offset = write_offset(fd);
	}
	done = has_offset ? syscall(SYS_pwrite64, fd, data, part, offset)
			  : syscall(SYS_write, fd, data, part);
	if (p.is_ours)
		fault_leave(&call, done >= 0, data, done > 0 ? (size_t)done : 0,
			    offset);
	return done;
}

SHOWN ssize_t write(int fd, const void *data, size_t n)
{
	return write_at(fd, data, n, -1);
}

SHOWN ssize_t pwrite(int fd, const void *data, size_t n, off_t offset)
{
	return write_at(fd, data, n, offset);
}

SHOWN ssize_t pwrite64(int fd, const void *data, size_t n, off64_t offset)
{
	return write_at(fd, data, n, offset);
}

/* The first part alone is a short write that callers must expect. */
SHOWN ssize_t writev(int fd, const struct iovec *v, int n)
{
	if (!place_of_fd(fd).is_ours)
		return syscall(SYS_writev, fd, v, n);
	for (int i = 0; i < n; i++)
		if (v[i].iov_len)
			return write_at(fd, v[i].iov_base, v[i].iov_len, -1);
	return 0;
}

SHOWN ssize_t pwritev(int fd, const struct iovec *v, int n, off_t offset)
{
	if (!place_of_fd(fd).is_ours)
		return syscall(SYS_pwritev, fd, v, n, offset, 0);
	for (int i = 0; i < n; i++)
		if (v[i].iov_len)
			return write_at(fd, v[i].iov_base, v[i].iov_len,
					offset);
	return 0;
}

/* None of these is used below the root; one that came to be would have to be
 * in the log. */
static void refuse(int fd)
{
	if (place_of_fd(fd).is_ours)
		abort();
}

SHOWN ssize_t sendfile(int to, int from, off_t *offset, size_t n)
{
	refuse(to);
	return syscall(SYS_sendfile, to, from, offset, n);
}

SHOWN ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *to_at,
			      size_t n, unsigned flags)
{
	refuse(to);
	return syscall(SYS_copy_file_range, from, at, to, to_at, n, flags);
}

static int truncate_fd(int fd, off_t size)
{
	struct place p = place_of_fd(fd);
	struct fault_call call = { OP_TRUNCATE, p.path, NULL };
	int number, result;

	if (p.is_ours) {
		number = fault_enter(&call, 0, NULL);
		if (number)
			return fail(&call, number);
	}
	result = (int)syscall(SYS_ftruncate, fd, size);
	if (p.is_ours)
		fault_leave(&call, !result, NULL, 0, size);
	return result;
}

SHOWN int ftruncate(int fd, off_t size)
{
	return truncate_fd(fd, size);
}

SHOWN int ftruncate64(int fd, off64_t size)
{
	return truncate_fd(fd, size);
}

SHOWN int fallocate(int fd, int mode, off_t offset, off_t n)
{
	refuse(fd);
	return (int)syscall(SYS_fallocate, fd, mode, offset, n);
}

/* -- durability ----------------------------------------------------------- */

SHOWN int fsync(int fd)
{
	struct place p = place_of_fd(fd);

	CALL(p, OP_SYNC, NULL, 0, SYS_fsync, fd);
}

SHOWN int fdatasync(int fd)
{
	struct place p = place_of_fd(fd);

	CALL(p, OP_SYNC, NULL, 0, SYS_fdatasync, fd);
}

SHOWN int sync_file_range(int fd, off64_t offset, off64_t n, unsigned flags)
{
	struct place p = place_of_fd(fd);

	CALL(p, OP_WRITEBACK, NULL, 0, SYS_sync_file_range, fd, offset, n,
	     flags);
}

SHOWN int syncfs(int fd)
{
	refuse(fd);
	return (int)syscall(SYS_syncfs, fd);
}

/* -- names ---------------------------------------------------------------- */

static int rename_at(int at, const char *path, int to_at, const char *to,
		     unsigned flags)
{
	struct place p = place_of(at, path), q = place_of(to_at, to);

	CALL(p, OP_RENAME, q.path, flags, SYS_renameat2, at, path, to_at, to,
	     flags);
}

SHOWN int rename(const char *path, const char *to)
{
	return rename_at(AT_FDCWD, path, AT_FDCWD, to, 0);
}

SHOWN int renameat(int at, const char *path, int to_at, const char *to)
{
	return rename_at(at, path, to_at, to, 0);
}

SHOWN int renameat2(int at, const char *path, int to_at, const char *to,
		    unsigned flags)
{
	return rename_at(at, path, to_at, to, flags);
}

SHOWN int linkat(int at, const char *path, int to_at, const char *to, int flags)
{
	struct place p = place_of(at, path), q = place_of(to_at, to);

	CALL(p, OP_LINK, q.path, 0, SYS_linkat, at, path, to_at, to, flags);
}

SHOWN int link(const char *path, const char *to)
{
	return linkat(AT_FDCWD, path, AT_FDCWD, to, 0);
}

SHOWN int unlinkat(int at, const char *path, int flags)
{
	struct place p = place_of(at, path);
	struct stat st;

	/* Only what can succeed is a point. */
	if (p.is_ours && lstat(p.path, &st) < 0)
		p.is_ours = false;
	else if (p.is_ours && !!(flags & AT_REMOVEDIR) != S_ISDIR(st.st_mode))
		p.is_ours = false;
	CALL(p, flags & AT_REMOVEDIR ? OP_RMDIR : OP_UNLINK, NULL, 0,
	     SYS_unlinkat, at, path, flags);
}

SHOWN int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

SHOWN int rmdir(const char *path)
{
	return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

SHOWN int remove(const char *path)
{
	int result = unlink(path);

	return result < 0 && (errno == EISDIR || errno == EPERM) ? rmdir(path)
								 : result;
}

SHOWN int mkdirat(int at, const char *path, mode_t mode)
{
	struct place p = place_of(at, path);
	struct stat st;

	if (p.is_ours && !lstat(p.path, &st))
		p.is_ours = false;
	CALL(p, OP_MKDIR, NULL, 0, SYS_mkdirat, at, path, mode);
}

SHOWN int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}

SHOWN int symlinkat(const char *target, int at, const char *path)
{
	struct place p = place_of(at, path);

	CALL(p, OP_SYMLINK, target, 0, SYS_symlinkat, target, at, path);
}

SHOWN int symlink(const char *target, const char *path)
{
	return symlinkat(target, AT_FDCWD, path);
}

SHOWN int chmod(const char *path, mode_t mode)
{
	struct place p = place_of(AT_FDCWD, path);

	CALL(p, OP_MODE, NULL, 0, SYS_fchmodat, AT_FDCWD, path, mode);
}

SHOWN int fchmod(int fd, mode_t mode)
{
	struct place p = place_of_fd(fd);

	CALL(p, OP_MODE, NULL, 0, SYS_fchmod, fd, mode);
}
