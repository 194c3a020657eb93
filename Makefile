# The two commands are `make demo` and `make test`; everything else is for who works on Procavia.
# Meson does the building; this file only says what to ask of it.

BUILD    := build
MESON    := meson
SUITES   := --suite unit --suite fuzz --suite cli --suite api

.PHONY: all demo test test-long check bench deps format clean asan tsan install

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

# Warnings are errors in `make check` only: a newer compiler's new warning is no reason not to build.
$(BUILD)/build.ninja:
	$(MESON) setup $(BUILD) -Dwerror=false

# Installs the distribution's packages that are missing; nothing when all are there.
deps:
	@tools/install-deps.sh

demo: deps all
	examples/iris/demo.sh $(DEMO_FLAGS)

test: deps all
	tools/run-tests.sh $(BUILD)

# Sanitizers over every suite, fault sweeps, fuzzing, long crash loops.
test-long: deps all
	PCV_TEST_LONG=1 tools/run-tests.sh $(BUILD)
	$(MAKE) asan tsan

asan: deps
	test -d build-asan || $(MESON) setup build-asan -Db_sanitize=address,undefined -Db_lundef=false
	ninja -C build-asan && tools/run-sanitized.sh build-asan unit fuzz cli api crash

tsan: deps
	test -d build-tsan || $(MESON) setup build-tsan -Db_sanitize=thread -Db_lundef=false
	ninja -C build-tsan && tools/run-sanitized.sh build-tsan unit cli api crash

# Lint, floors, and warnings as errors on both compilers.
check: deps all
	python3 tools/lint.py
	test -d build-gcc || CC=gcc $(MESON) setup build-gcc
	test -d build-clang || CC=clang $(MESON) setup build-clang
	ninja -C build-gcc
	ninja -C build-clang
	python3 tools/headers.py

bench: deps all
	bench/run.sh $(BUILD)

format:
	git ls-files 'src/*.[ch]' 'tests/*.[ch]' 'bench/*.[ch]' | xargs clang-format -i

clean:
	rm -rf build build-gcc build-clang build-asan build-tsan
