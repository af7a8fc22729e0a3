/* attn/export.h: the marks on public declarations, for each kind of compiler.
 *
 * On Windows a program that links the static library defines ATTN_STATIC before it includes any attn
 * header (the CMake package and `pkg-config --static` do); ATTN_BUILD_SHARED is defined where the
 * shared library itself is built. Elsewhere neither matters.
 * Next: attn/status.h. */
#ifndef ATTN_EXPORT_H
#define ATTN_EXPORT_H

/* A function that programs may call. */
#if defined(_WIN32) || defined(__CYGWIN__)
#if defined(ATTN_STATIC)
#define ATTN_API
#elif defined(ATTN_BUILD_SHARED)
#define ATTN_API __declspec(dllexport)
#else
#define ATTN_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define ATTN_API __attribute__((visibility("default")))
#else
#define ATTN_API
#endif

/* A result that must not be thrown away. */
#if defined(__GNUC__)
#define ATTN_MUST_CHECK __attribute__((warn_unused_result))
#else
#define ATTN_MUST_CHECK
#endif

/* Argument `format` (counted from 1) is as printf's, for the arguments from `first` on. It stands
 * before the declaration. */
#if defined(__MINGW32__) && !defined(__clang__)
#define ATTN_PRINTF(format_at, first) __attribute__((format(gnu_printf, format_at, first)))
#elif defined(__GNUC__)
#define ATTN_PRINTF(format_at, first) __attribute__((format(printf, format_at, first)))
#else
#define ATTN_PRINTF(format_at, first)
#endif

#endif
