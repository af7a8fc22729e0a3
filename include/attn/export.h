/* attn/export.h: markers for public declarations, per compiler.
 *
 * On Windows, a program that links the static library must define ATTN_STATIC before it includes
 * any attn header; the CMake package and `pkg-config --static` do. The build of the shared library
 * defines ATTN_BUILD_SHARED. On other systems neither matters.
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

/* The same, of the second library, libattn-pipeline: ATTN_BUILD_PIPELINE is defined where it is built. */
#if (defined(_WIN32) || defined(__CYGWIN__)) && defined(ATTN_BUILD_PIPELINE)
#define ATTN_PIPELINE_API __declspec(dllexport)
#elif (defined(_WIN32) || defined(__CYGWIN__)) && !defined(ATTN_STATIC)
#define ATTN_PIPELINE_API __declspec(dllimport)
#else
#define ATTN_PIPELINE_API ATTN_API
#endif

/* A result that must not be ignored. */
#if defined(__GNUC__)
#define ATTN_MUST_CHECK __attribute__((warn_unused_result))
#else
#define ATTN_MUST_CHECK
#endif

/* Argument `format_at` (counted from 1) is a format as for printf, with its arguments from `first`
 * on. Put it before the declaration. */
#if defined(__MINGW32__) && !defined(__clang__)
#define ATTN_PRINTF(format_at, first) __attribute__((format(gnu_printf, format_at, first)))
#elif defined(__GNUC__)
#define ATTN_PRINTF(format_at, first) __attribute__((format(printf, format_at, first)))
#else
#define ATTN_PRINTF(format_at, first)
#endif

#endif
