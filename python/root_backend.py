"""What pip calls to build ./python: scikit-build-core's functions, in the folder above (pyproject.toml)."""
import os

# They read pyproject.toml of the working directory.
os.chdir(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from scikit_build_core.build import *  # noqa: E402, F403
