/* cli/openmp.c: how long the tool's threads spin while they wait for each other.
 *
 * GCC's OpenMP spins 300,000 times, some milliseconds, before it sleeps. On a busy machine the thread it
 * waits for does not run meanwhile, and a sentence has many such waits. A thousand times outlasts the gap
 * between two products on an idle machine, and costs little on a busy one (docs/performance-log.md).
 *
 * The count is read from the environment by a constructor. So the tool holds OpenMP itself where it can be
 * had as an archive (cmake/tool.cmake): then this constructor, of higher priority, runs before that one.
 * Where OpenMP is a shared library, which is initialised before the tool, the variable comes too late. */
#ifdef _OPENMP

#include <stdlib.h>

__attribute__((constructor(101))) static void limit_spinning(void) {
    if (getenv("OMP_WAIT_POLICY") == NULL) {
        (void)setenv("GOMP_SPINCOUNT", "1000", 0); /* fails for want of memory alone */
    }
}

#else

typedef int attn_without_openmp; /* a file of C is not empty */

#endif
