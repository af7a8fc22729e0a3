# A short way to the common tasks; CMake does the building. Everything goes into $(BUILD).
#
#   make          build              make test     build and run the tests
#   make demo     see it work        make bench    measure it
#   make bench-peers                 measure it beside PyTorch, NumPy, CTranslate2 and ONNX Runtime, installed under $(BUILD)
#   make install  PREFIX=/usr/local DESTDIR=
#   make format   lay out the sources with clang-format
BUILD  = build
PREFIX = /usr/local
JOBS  := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)

all: configure
	@cmake --build $(BUILD) --parallel $(JOBS)

configure:
	@command -v cmake >/dev/null || { echo "cmake is missing: run scripts/setup" >&2; exit 1; }
	@cmake -S . -B $(BUILD) -DCMAKE_INSTALL_PREFIX=$(PREFIX) $(CMAKE_FLAGS) \
	    >$(BUILD).log 2>&1 || { cat $(BUILD).log; rm -f $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log

setup:
	@sh scripts/setup

demo: setup
	@$(MAKE) --no-print-directory all
	@ATTN=$(BUILD)/attn sh scripts/demo

test: setup
	@$(MAKE) --no-print-directory all
	@cmake --build $(BUILD) --parallel $(JOBS) --target tests
	@ctest --test-dir $(BUILD) --output-on-failure --parallel $(JOBS)

bench: all
	@bench/run --attn $(BUILD)/attn --build $(BUILD) $(BENCH_FLAGS)

bench-peers: all
	@bench/run --peers --attn $(BUILD)/attn --build $(BUILD) $(BENCH_FLAGS)

install: all
	@DESTDIR=$(DESTDIR) cmake --install $(BUILD)

format:
	@scripts/check-format --fix

clean:
	rm -rf $(BUILD)

.PHONY: all configure setup demo test bench bench-peers install format clean
