# expconv: `make demo` shows what it does, `make test` proves it; both install what is missing from Debian's packages.
#
#   make            ./expconv and ./libexpconv.a
#   make deps       installs missing Debian packages (apt; sudo when not root); does nothing when all is there
#   make demo       simulates the paper's task 1 small, sweeps relu and exponential, makes the page that compares them
#   make test       everything that a machine without a GPU can prove; ends with "N passed, N failed"
#   make fuzz       random motif files at the reader for FUZZ_SECONDS (60), with sanitizers; installs clang
#   make sanitize   the tests of threads under ThreadSanitizer, those of the kernels under AddressSanitizer and UBSan
#   make cuda-check compiles the CUDA kernels for every architecture that nvcc knows: registers, spills, occupancy
#   make gpu-check  all that needs a GPU: op tests on it, compute-sanitizer, a sweep beside the CPU's, benches
#   make bench      the questions of bench/, beside the peers that are installed
#   make clean

CC      ?= cc
BUILD   := build
LIBRARY := libexpconv.a
CFLAGS  ?= -O3 -g
WARN    := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wno-psabi
LIBS     = $(shell pkg-config --libs hdf5 libcyaml htslib libdeflate libzip cairo) -lyaml -lm -lpthread -ldl
INCLUDE  = -Iinclude $(shell pkg-config --cflags hdf5 libcyaml htslib libdeflate libzip cairo)
BASE    := -std=c11 -D_GNU_SOURCE -fno-math-errno -ffp-contract=off $(WARN)

HOST    := $(wildcard host/base/*.c host/backend/*.c host/data/*.c host/model/*.c host/train/*.c host/motif/*.c \
           host/attribution/*.c host/sweep/*.c \
           host/report/*.c)
CLI     := $(wildcard host/cli/*.c)
REF     := $(wildcard kernels/ref/*.c)
# Two files of kernels/cpu are compiled once; every other once for each instruction set.
ONCE    := kernels/cpu/dispatch.c kernels/cpu/zen4.c
ISA     := $(filter-out $(ONCE),$(wildcard kernels/cpu/*.c))
MACHINE := $(shell uname -m)
ifeq ($(MACHINE),x86_64)
SETS    := baseline avx2 avx512
else
SETS    := baseline
endif
FLAGS_baseline :=
FLAGS_avx2     := -mavx2 -mfma -mbmi2 -mprefer-vector-width=256 -ffp-contract=fast
FLAGS_avx512   := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mbmi2 -mprefer-vector-width=512 -ffp-contract=fast

ZOO     := $(sort $(wildcard configs/zoo/*.yaml))
OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(HOST) $(REF) $(ONCE)) $(BUILD)/zoo.o $(BUILD)/page.o \
           $(foreach set,$(SETS),$(patsubst kernels/cpu/%.c,$(BUILD)/kernels/cpu/%.$(set).o,$(ISA)))
CLI_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(CLI))

# The CUDA backend (kernels/cuda) is a shared object that nvcc builds and the program opens at run time; without nvcc it is
# not built. The same files run on the emulated GPU (tests/emu), which wants the headers of the CUDA toolkit, and nothing
# else of it.
CUDA    ?= $(patsubst %/bin/nvcc,%,$(shell command -v nvcc 2>/dev/null || echo /usr/local/cuda/bin/nvcc))
HAS_CUDA_HEADERS := $(and $(wildcard $(CUDA)/include/cuda_runtime_api.h),$(wildcard $(CUDA)/include/cublasLt.h))
NVCC    := $(if $(HAS_CUDA_HEADERS),$(wildcard $(CUDA)/bin/nvcc))
# A folder of the toolkit that the loader does not search is named in what is linked to its libraries.
CUDA_LIBS = -L$(CUDA)/lib64 -lcublasLt \
            $(if $(shell ldconfig -p 2>/dev/null | grep '$(realpath $(CUDA)/lib64)/libcublasLt'),,-Wl,-rpath,$(CUDA)/lib64)
CUDA_ARCHS ?= 80 90
# A release is built with CUDA_ARCHS="$(CUDA_ALL_ARCHS)"
CUDA_ALL_ARCHS = $(shell $(NVCC) --list-gpu-arch | sed -n 's/^compute_\([0-9]*\)$$/\1/p' | sort -n)
NVCC_FLAGS = -std=c++17 -O3 -lineinfo -Werror all-warnings -Iinclude
# cuDNN is opened at run time; only its headers are wanted here. Without them dnn_none.c stands in.
HAS_CUDNN_HEADERS := $(and $(HAS_CUDA_HEADERS),$(wildcard $(CUDA)/include/cudnn.h /usr/include/cudnn.h))
WITH_CUDNN := $(addprefix kernels/cuda/,dnn.c dnn_library.c dnn_plan.c dnn_turn.cu)
CUDA_FILES := $(filter-out $(if $(HAS_CUDNN_HEADERS),kernels/cuda/dnn_none.c,$(WITH_CUDNN)), \
              $(wildcard kernels/cuda/*.cu kernels/cuda/*.c))
PLUGIN  := $(if $(NVCC),$(BUILD)/libexpconv_cuda.so)
EMU     := $(patsubst %.c,$(BUILD)/%.emu.o,$(filter-out $(if $(HAS_CUDNN_HEADERS),,tests/emu/cudnn%), \
           $(wildcard tests/emu/*.c)))
EMULATED := $(if $(HAS_CUDA_HEADERS),$(addprefix $(BUILD)/,$(addsuffix .emu.o,$(basename $(CUDA_FILES)))) $(EMU))
EMULATED_PLUGIN := $(if $(HAS_CUDA_HEADERS),$(BUILD)/libexpconv_cudaemu.so)
EMU_TESTS := tests/test_emu.c tests/test_emu_faults.c
CUDNN_TESTS := tests/test_dnn.c tests/test_dnn_real.c
CUDA_TESTS := $(EMU_TESTS) $(CUDNN_TESTS) tests/test_blas.c tests/test_cuda_step.c tests/test_cuda_stream.c \
              tests/test_gpu_model.c
NO_TESTS := $(if $(HAS_CUDA_HEADERS),$(if $(HAS_CUDNN_HEADERS),,$(CUDNN_TESTS)),$(CUDA_TESTS))
EMU_LIBS := -lopenblas -lstdc++

TESTS   := $(patsubst tests/%.c,$(BUILD)/tests/%,$(filter-out $(NO_TESTS),$(wildcard tests/test_*.c))) \
           $(if $(wildcard tests/ops/*.c),$(BUILD)/tests/test_ops)
# What is counted of the CUDA backend on the emulated GPU.
CUDA_BENCHES := bench/gpu_model.c
BENCHES := $(patsubst bench/%.c,$(BUILD)/bench/%,$(filter-out $(if $(HAS_CUDA_HEADERS),,$(CUDA_BENCHES)),$(wildcard bench/*.c)))
PACKAGES := build-essential pkg-config libhdf5-dev libcyaml-dev libyaml-dev libhts-dev libdeflate-dev libzip-dev libcairo2-dev \
            libcmocka-dev $(if $(HAS_CUDA_HEADERS),libopenblas-dev)
# What some tests want and can do without: the report is looked at in a browser.
TEST_PACKAGES := chromium
# V=1 shows the commands.
Q := $(if $(V),,@)
PARALLEL := -j$(shell nproc 2>/dev/null || echo 2) --no-print-directory

.PHONY: all deps demo test fuzz sanitize bench clean build-tests build-benches cuda-check gpu-check
all: expconv $(PLUGIN)
	$(if $(NVCC),,@echo "  notice   CUDA: off (no nvcc with cublasLt.h in $(CUDA); make CUDA=FOLDER says where the toolkit is)")
	@echo "  notice   MPI: off (this version has none)"

expconv: $(CLI_OBJECTS) $(LIBRARY)
	@echo "  link     $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $(CLI_OBJECTS) $(LIBRARY) $(LIBS)

$(LIBRARY): $(OBJECTS)
	$(Q)rm -f $@ && ar rcs $@ $(OBJECTS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  compile  $<"
	$(Q)$(CC) $(BASE) $(CFLAGS) $(INCLUDE) -MMD -MP -c -o $@ $<

define ISA_RULE
$(BUILD)/kernels/cpu/%.$(1).o: kernels/cpu/%.c
	@mkdir -p $$(@D)
	@echo "  compile  $$< ($(1))"
	$$(Q)$(CC) $(BASE) $(CFLAGS) $(FLAGS_$(1)) -DXC_ISA=$(1) -DXC_ISA_$(1)=1 -Iinclude -MMD -MP -c -o $$@ $$<
endef
$(foreach set,$(SETS),$(eval $(call ISA_RULE,$(set))))

# For GPUs: every architecture of CUDA_ARCHS (80 or later), and code from which a driver makes that of later ones. A
# register that is spilled fails the build. What is needed of host/base comes along, so that the program exports nothing.
PLUGIN_FLAGS  = $(foreach arch,$(CUDA_ARCHS),-gencode arch=compute_$(arch),code=sm_$(arch)) \
                -gencode arch=compute_$(lastword $(CUDA_ARCHS)),code=compute_$(lastword $(CUDA_ARCHS)) \
                -Xptxas -warn-spills,-v \
                -Xcompiler -fPIC,-fno-exceptions,-fno-rtti,-fno-threadsafe-statics,-fvisibility=hidden
$(BUILD)/libexpconv_cuda.so: $(patsubst %,$(BUILD)/%.gpu.o,$(basename $(CUDA_FILES)) host/base/error)
	@echo "  link     $@"
	$(Q)$(CC) -shared -Wl,--no-undefined -o $@ $^ $(CUDA)/lib64/libcudart_static.a $(CUDA_LIBS) -lm -lpthread -ldl -lrt
$(BUILD)/%.gpu.o: %.cu
	@mkdir -p $(@D)
	@echo "  nvcc     $<"
	$(Q)$(NVCC) $(NVCC_FLAGS) $(PLUGIN_FLAGS) -MMD -MP -MF $(@:.o=.d) -c -o $@ $< 2>$(@:.o=.ptxas) \
	  || { cat $(@:.o=.ptxas); exit 1; }
$(BUILD)/%.gpu.o: %.c
	@mkdir -p $(@D)
	@echo "  compile  $< (for the GPU)"
	$(Q)$(CC) $(BASE) $(CFLAGS) -fPIC -fvisibility=hidden -Iinclude -isystem $(CUDA)/include -MMD -MP -c -o $@ $<

# The zoo's YAML files, as text inside the program, so that it needs no folder beside it.
$(BUILD)/zoo.c: $(ZOO) Makefile
	@mkdir -p $(@D)
	@{ echo '/* made from configs/zoo by the Makefile */'; \
	   echo '#include "zoo.h"'; \
	   echo 'const xc_zoo_file xc_zoo_files[] = {'; \
	   for f in $(ZOO); do echo "{\"$$(basename $$f .yaml)\","; \
	     sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' $$f; echo '},'; done; \
	   echo '{0, 0}};'; } > $@
$(BUILD)/zoo.o: $(BUILD)/zoo.c
	$(Q)$(CC) $(BASE) $(CFLAGS) -Ihost/model -c -o $@ $<

# The style and the script of the report's page, likewise.
$(BUILD)/page.c: host/report/page.css host/report/page.js Makefile
	@mkdir -p $(@D)
	@{ echo '/* made from host/report/page.css and page.js by the Makefile */'; \
	   for f in css js; do echo "extern const char xc_page_$$f[]; const char xc_page_$$f[] ="; \
	     sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' host/report/page.$$f; echo ';'; done; } > $@
$(BUILD)/page.o: $(BUILD)/page.c
	$(Q)$(CC) $(BASE) $(CFLAGS) -c -o $@ $<

$(BUILD)/tests/test_ops: $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/ops/*.c)) $(LIBRARY)
	@mkdir -p $(@D)
	@echo "  link     $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) -lcmocka
# For the emulated GPU: .cu files as C++.
EMU_FLAGS = $(CFLAGS) -fPIC -fvisibility=hidden -DXC_EMULATED -Itests/emu -Iinclude -isystem $(CUDA)/include -MMD -MP
$(BUILD)/%.emu.o: %.cu
	@mkdir -p $(@D)
	@echo "  compile  $< (emulated)"
	$(Q)$(CXX) -std=c++17 $(filter-out -Wstrict-prototypes,$(WARN)) -Wno-unknown-pragmas -ffp-contract=off -fno-exceptions \
	  -fno-rtti $(EMU_FLAGS) -x c++ -c -o $@ $<
$(BUILD)/%.emu.o: %.c
	@mkdir -p $(@D)
	@echo "  compile  $< (emulated)"
	$(Q)$(CC) $(BASE) $(EMU_FLAGS) -c -o $@ $<
# ThreadSanitizer looks at what runs on the emulated GPU, which tells it what is ordered, and not at the GPU itself.
$(EMU): override CFLAGS := $(patsubst -fsanitize=thread,-DEMU_RACES,$(CFLAGS))
$(EMU_TESTS:%.c=$(BUILD)/%.o) $(BUILD)/tests/test_blas.o $(BUILD)/tests/test_cuda_check.o: INCLUDE += -isystem $(CUDA)/include
$(EMU_TESTS:%.c=$(BUILD)/%): $(BUILD)/%: $(BUILD)/%.o $(EMU) $(BUILD)/tests/emu/test_kernels.emu.o
	@echo "  link     $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lcmocka -lpthread -lm $(EMU_LIBS)
$(BUILD)/tests/test_blas: $(BUILD)/tests/test_blas.o $(EMULATED) $(BUILD)/host/base/error.o
	@echo "  link     $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lcmocka -lpthread -lm $(EMU_LIBS)
# The convolutions of cuDNN: on the emulated GPU, and what can be tried of the library itself without a GPU.
$(CUDNN_TESTS:%.c=$(BUILD)/%.o): INCLUDE += -Ikernels/cuda -isystem $(CUDA)/include
$(BUILD)/tests/test_dnn: $(BUILD)/tests/test_dnn.o $(EMULATED) $(LIBRARY)
	@echo "  link     $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) -lcmocka $(EMU_LIBS)
$(BUILD)/tests/test_dnn_real: $(BUILD)/tests/test_dnn_real.o $(BUILD)/kernels/cuda/dnn_library.gpu.o \
  $(BUILD)/kernels/cuda/dnn_plan.gpu.o $(LIBRARY)
	@echo "  link     $@"
	$(Q)$(CC) $(LDFLAGS) -Wl,-rpath,$(CUDA)/lib64 -o $@ $^ $(LIBS) -lcmocka
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(LIBRARY)
	@echo "  link     $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) -lcmocka
# The backend "cudaemu": in the tests of the ops and of the golden steps, and as a shared object for the program.
WITH_EMULATED := $(addprefix $(BUILD)/tests/,test_ops test_golden test_attribution_golden test_cuda_step test_cuda_stream \
                 test_gpu_model)
$(if $(HAS_CUDA_HEADERS),$(addsuffix .o,$(patsubst %/test_ops,%/ops/test_ops,$(WITH_EMULATED)))): override CFLAGS += -DXC_TEST_CUDAEMU -Itests -isystem $(CUDA)/include
$(if $(HAS_CUDA_HEADERS),$(WITH_EMULATED)): LIBS += $(EMU_LIBS)
$(WITH_EMULATED): $(EMULATED)
$(BUILD)/libexpconv_cudaemu.so: $(EMULATED) $(BUILD)/host/base/error.emu.o
	@echo "  link     $@"
	$(Q)$(CC) $(LDFLAGS) -shared -o $@ $^ $(EMU_LIBS) -lm -lpthread

$(CUDA_BENCHES:%.c=$(BUILD)/%.o): INCLUDE += -isystem $(CUDA)/include
$(CUDA_BENCHES:%.c=$(BUILD)/%): $(BUILD)/%: $(BUILD)/%.o $(EMULATED) $(LIBRARY)
	@echo "  link     $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) $(EMU_LIBS)
$(BUILD)/bench/%: $(BUILD)/bench/%.o $(LIBRARY)
	@echo "  link     $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
.SECONDARY:

build-tests: expconv $(PLUGIN) $(EMULATED_PLUGIN) $(TESTS)
build-benches: expconv $(BENCHES)

# Names the packages that are missing, installs them, and is silent when there are none.
deps:
	@command -v dpkg-query >/dev/null || { echo "not Debian: install yourself what stands for: $(PACKAGES)"; exit 0; }; \
	missing=; for p in $(PACKAGES); do \
	  dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	[ -z "$$missing" ] && exit 0; echo "installing:$$missing"; \
	as=; if [ $$(id -u) -ne 0 ]; then command -v sudo >/dev/null || { \
	  echo "run as root: apt-get install$$missing"; exit 1; }; as=sudo; fi; \
	$$as apt-get update -qq && $$as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing >/dev/null

# Task 1 of the paper, small: simulate, train relu and exponential side by side, match their filters, make the page.
demo: deps
	@$(MAKE) $(PARALLEL) expconv
	@rm -rf $(BUILD)/demo && mkdir -p $(BUILD)/demo
	./expconv simulate --task motifs --motifs configs/motifs/task1.meme --sequences 10000 --seed 1 --out $(BUILD)/demo/task1.h5
	./expconv sweep configs/demo.yaml --out $(BUILD)/demo/sweep
	./expconv report $(BUILD)/demo/sweep
	@echo "the page:  $(BUILD)/demo/sweep/report.html (its figures: $(BUILD)/demo/sweep/figures)"
	@echo "the table: $(BUILD)/demo/sweep/summary.tsv (one row a trial: $(BUILD)/demo/sweep/results.tsv)"

test: deps
	@$(MAKE) --no-print-directory deps PACKAGES="$(TEST_PACKAGES)" \
	  || echo "  notice   without $(TEST_PACKAGES): the tests that need it are skipped"
	@$(MAKE) $(PARALLEL) build-tests
	@$(if $(HAS_CUDA_HEADERS),:,echo "  notice   no CUDA toolkit in $(CUDA): not tested on the emulated GPU: $(CUDA_TESTS), the rows cudaemu")
	@$(if $(HAS_CUDNN_HEADERS),:,echo "  notice   no cudnn.h in $(CUDA)/include or /usr/include: not tested: $(CUDNN_TESTS)")
	$(if $(HAS_CUDA_HEADERS),$(call BUILD_EMU,address,1))
	$(if $(HAS_CUDA_HEADERS),$(call BUILD_EMU,thread,7))
	@tests/run.sh $(TESTS) $(if $(HAS_CUDA_HEADERS),$(call RUN_EMU,address) $(call RUN_EMU,thread)) $(RUN_CUDNN)

# libFuzzer on the readers of files that come from elsewhere. The corpus grows under build/; a finding fails, stays
# beside it, and ends the log.
FUZZ_SECONDS ?= 60
FUZZ_CC      ?= clang
FUZZ         := $(BUILD)/fuzz
FUZZ_MOTIF   := tests/fuzz/fuzz_motif.c $(addprefix host/motif/,read.c meme.c meme_header.c meme_matrix.c meme_write.c jaspar.c) \
                $(wildcard host/base/*.c)
fuzz:
	@$(MAKE) --no-print-directory deps PACKAGES="$(PACKAGES) clang libclang-rt-dev"
	@mkdir -p $(FUZZ)/corpus/motif && cp tests/fuzz/corpus/motif/* configs/motifs/task1.meme $(FUZZ)/corpus/motif/
	@echo "  compile  $(FUZZ)/motif"
	$(Q)$(FUZZ_CC) $(BASE) -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all $(INCLUDE) \
	  -o $(FUZZ)/motif $(FUZZ_MOTIF) -lm -lpthread
	@echo "  fuzz     motif for $(FUZZ_SECONDS) s (log: $(FUZZ)/motif.log)"
	@$(FUZZ)/motif -max_total_time=$(FUZZ_SECONDS) -timeout=5 -max_len=16384 -rss_limit_mb=1024 -print_final_stats=1 \
	  -dict=tests/fuzz/motif.dict -artifact_prefix=$(FUZZ)/motif- $(FUZZ)/corpus/motif >$(FUZZ)/motif.log 2>&1 \
	  || { tail -n 40 $(FUZZ)/motif.log; exit 1; }
	@sed -n 's/^stat::number_of_executed_units: *\([0-9]*\)/  fuzz     motif: \1 inputs, no finding/p' $(FUZZ)/motif.log

# Objects and library of their own, below build/. A finding ends the test with a failure.
SANITIZED_thread  := test_team test_threads test_hdf5_threads
SANITIZED_address := test_ops test_convolution test_tail test_motif_block test_hdf5_faults $(if $(HAS_CUDA_HEADERS),test_emu test_blas)
SANITIZE_thread   := -fsanitize=thread
SANITIZE_address  := -fsanitize=address,undefined -fno-sanitize-recover=all
# What runs on the emulated GPU, for `make test`: kernels, their host and the tests with sanitizers, beside the library as
# it is. The second argument is XC_TEST_SMALL (tests/ops/cases.c).
EMU_SANITIZED := test_emu test_emu_faults test_blas $(if $(HAS_CUDNN_HEADERS),test_dnn) test_cuda_stream test_ops
EMU_SANITIZED_address := $(EMU_SANITIZED) test_cuda_step test_golden test_attribution_golden
EMU_SANITIZED_thread  := $(EMU_SANITIZED)
# ThreadSanitizer wants memory where it expects it; where Linux places it more freely than by 28 bits, it is asked not to.
CALM_thread   = $(shell test "$$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 28)" -le 28 || echo setarch -R)
RUN_EMU       = $(foreach test,$(EMU_SANITIZED_$(1)),\
                "$(strip $(CALM_$(1)) $(BUILD)/emu-$(1)/tests/$(test) $(WORD_$(test)))")
WORD_test_ops := cudaemu
WORD_test_golden := cudaemu
WORD_test_attribution_golden := cudaemu
# Convolutions of all sizes by cuDNN, which otherwise has the large ones alone.
RUN_CUDNN := $(if $(HAS_CUDNN_HEADERS),"env EXPCONV_CUDA_CONV=cudnn $(BUILD)/tests/test_ops conv_block_backward/cudaemu" \
             "env EXPCONV_CUDA_CONV=cudnn $(BUILD)/tests/test_golden cudaemu")
define BUILD_EMU
@$(MAKE) $(PARALLEL) BUILD=$(BUILD)/emu-$(1) OBJECTS= CFLAGS="-O1 -g $(SANITIZE_$(1)) -DXC_TEST_SMALL=$(2)" \
  LDFLAGS="$(SANITIZE_$(1))" $(addprefix $(BUILD)/emu-$(1)/tests/,$(EMU_SANITIZED_$(1)))
endef
define SANITIZE
@$(MAKE) $(PARALLEL) BUILD=$(BUILD)/$(1) LIBRARY=$(BUILD)/$(1)/libexpconv.a CFLAGS="-O1 -g $(SANITIZE_$(1))" \
  LDFLAGS="$(SANITIZE_$(1))" $(addprefix $(BUILD)/$(1)/tests/,$(SANITIZED_$(1)))
@LSAN_OPTIONS=suppressions=tests/leaks.supp:print_suppressions=0 tests/run.sh \
  $(addprefix $(BUILD)/$(1)/tests/,$(SANITIZED_$(1)))
endef
sanitize: deps
	$(call SANITIZE,thread)
	$(call SANITIZE,address)

# Compiles each kernel file for each architecture (-j as given) and tables what ptxas says; tests/cuda_check.sh tells
# what fails. CUDA_CHECK_EXTRA: more flags for nvcc. The rules are made only for this target, since nvcc names the
# architectures.
CUDA_CHECK       := $(BUILD)/cuda-check
CUDA_CHECK_FILES ?= $(wildcard kernels/cuda/*.cu)
CUDA_CHECK_EXTRA ?=
CHECK_FLAGS       = $(NVCC_FLAGS) $(CUDA_CHECK_EXTRA)
define CHECK_RULE
$(CUDA_CHECK)/$(2)/$(basename $(notdir $(1))).log: $(1) tests/cuda_check.sh $(CUDA_CHECK)/flags
	@echo "  nvcc     $(1) (sm_$(2))"
	$$(Q)tests/cuda_check.sh compile $(NVCC) $(2) $(1) $$@ $$(CHECK_FLAGS)
endef
ifneq ($(and $(filter cuda-check,$(MAKECMDGOALS)),$(NVCC)),)
CUDA_ALL_ARCHS := $(CUDA_ALL_ARCHS)
CHECKED := $(foreach file,$(CUDA_CHECK_FILES),$(foreach arch,$(CUDA_ALL_ARCHS),\
             $(CUDA_CHECK)/$(arch)/$(basename $(notdir $(file))).log))
$(foreach file,$(CUDA_CHECK_FILES),$(foreach arch,$(CUDA_ALL_ARCHS),$(eval $(call CHECK_RULE,$(file),$(arch)))))
$(shell mkdir -p $(CUDA_CHECK); echo '$(CHECK_FLAGS)' >$(CUDA_CHECK)/flags.now; \
  cmp -s $(CUDA_CHECK)/flags.now $(CUDA_CHECK)/flags || cp $(CUDA_CHECK)/flags.now $(CUDA_CHECK)/flags)
endif
cuda-check: $(CHECKED)
	@$(if $(NVCC),tests/cuda_check.sh table $(CUDA_CHECK).tsv $^,\
	  echo "no $(CUDA)/bin/nvcc (make CUDA=FOLDER says where the toolkit is)" && exit 1)

# For a machine with a GPU; tests/gpu_check.sh tells what it does and which variables make it smaller.
gpu-check:
	@CUDA=$(CUDA) tests/gpu_check.sh

bench: deps
	@$(if $(HAS_CUDA_HEADERS),:,echo "  notice   no CUDA toolkit in $(CUDA): left out: $(CUDA_BENCHES)")
	@$(MAKE) $(PARALLEL) build-benches
	@bench/run.sh $(BENCHES)

clean:
	rm -rf $(BUILD) expconv libexpconv.a

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
