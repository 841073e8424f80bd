# SPDX-License-Identifier: BSD-3-Clause
# `make help` lists the targets.

PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR    ?=
B          ?= build
CC         := gcc
SAN        ?=

PKGS_BUILD := gcc make pkg-config libc6-dev libdpdk-dev libnl-3-dev libmnl-dev libpcap-dev \
	libevent-dev libjansson-dev liburcu-dev libcmocka-dev libxen-dev
# /etc/network/interfaces gives xenbr1 its address, which takes an ifquery; ifupdown conflicts with other packages that have one.
IFQUERY    := $(if $(shell command -v ifquery),,ifupdown)
PKGS_RUN   := iproute2 procps kmod ethtool iputils-ping user-mode-linux bubblewrap busybox-static iperf3 cpio \
	$(IFQUERY)
PKGS_TEST  := python3-scapy python3-pytest qemu-system-x86 ipxe-qemu dpdk-dev linux-image-amd64 bridge-utils shellcheck \
	cppcheck clang-format strace ifupdown clang libclang-rt-dev
PKGS_XEN   := xen-utils-4.17 xenstore-utils qemu-system-xen qemu-system-x86 linux-image-amd64 busybox-static \
	dropbear-bin openssh-client xz-utils cpio bridge-utils ifupdown tcpdump strace iperf3 ethtool python3-pytest

PKGS_BENCH := python3 gnuplot-nox openvswitch-switch-dpdk user-mode-linux busybox-static iperf3 ethtool cpio

CFLAGS    ?= -O3 -g
ARCH      :=
WARN      := -std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla \
	-Wformat=2 -Werror
CPPFLAGS  += -I. -D_GNU_SOURCE -DXBAR_PREFIX='"$(PREFIX)"' -DXBAR_SYSCONFDIR='"$(SYSCONFDIR)"'
# Hardening. A sanitizer looks closer, and does not see what a fortified function reads; without optimisation there is none.
FORTIFY   := $(if $(filter-out -O0,$(filter -O%,$(CFLAGS))),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
HARDEN    := $(if $(SAN),,-fstack-protector-strong -fstack-clash-protection -fcf-protection $(FORTIFY))
ALL_CFLAGS  = $(CFLAGS) $(ARCH) -fPIE $(HARDEN) $(WARN) $(CPPFLAGS) -MMD -MP $(SAN)
ALL_LDFLAGS = $(LDFLAGS) -pie -Wl,-z,relro,-z,now,-z,noexecstack $(SAN)
# DPDK's own -march would keep xbar from older processors, and libdpdk.pc names its hundred libraries.
PKGS_PC     := libnl-3.0 libmnl libevent_core jansson liburcu-qsbr xengnttab xenevtchn xenstore
DPDK_CFLAGS := $(filter-out -march=%,$(shell pkg-config --cflags libdpdk $(PKGS_PC) 2>/dev/null)) -mssse3
DPDK_LIBS   := -lrte_eal -lrte_ethdev -lrte_mbuf -lrte_mempool -lrte_bus_vdev -lrte_bus_pci -lrte_kvargs

BASE_SRC   := $(wildcard vswitch/base/*.c)
BRIDGE_SRC := $(wildcard bridge/*.c)
VIF_SRC    := $(wildcard vif/*.c vif/*/*.c)
HV_SRC     := $(wildcard hypervisor/*/*.c)
TOOL_SRC   := $(wildcard vswitch/tool/*.c vswitch/tool/guest/*.c)
DAEMON_SRC := $(filter-out vswitch/xbard.c $(BASE_SRC) $(TOOL_SRC),$(wildcard vswitch/*.c vswitch/*/*.c vswitch/*/*/*.c))
obj = $(patsubst %.c,$(B)/%.o,$(1))

DAEMON_LIBS := $(DPDK_LIBS) $(shell pkg-config --libs $(PKGS_PC) 2>/dev/null) -lpthread
TOOL_LIBS   := -ljansson -lutil
# V=1 prints the commands.
Q = $(if $(V),,@)
say = @$(if $(V),true,printf '  %-3s %s\n' '$(1)' '$(2)')
PARTS := $(addprefix $(B)/lib,vswitch.a vif.a hv.a bridge.a base.a)

.PHONY: all
all: $(B)/xbard $(B)/xbar

$(B)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(if $(filter vif/% vswitch/% bench/peer_% tests/fuzz/%,$<),$(DPDK_CFLAGS)) -c -o $@ $<

# What RING_CAN_* asks the processor for (vif/ring/ring_impl.h).
AVX2 := -mavx2 -mbmi -mbmi2
$(B)/vif/ring/ring_avx2.o: ARCH := $(AVX2)
$(B)/vif/ring/ring_avx512.o: ARCH := $(AVX2) -mavx512f -mavx512bw -mavx512vl

$(B)/libbase.a: $(call obj,$(BASE_SRC))
$(B)/libbridge.a: $(call obj,$(BRIDGE_SRC))
$(B)/libvif.a: $(call obj,$(VIF_SRC))
$(B)/libhv.a: $(call obj,$(HV_SRC))
$(B)/libvswitch.a: $(call obj,$(DAEMON_SRC))
$(B)/lib%.a:
	$(call say,AR,$@)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(B)/xbard: $(B)/vswitch/xbard.o $(PARTS)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(DAEMON_LIBS)

$(B)/libtool.a: $(call obj,$(filter-out vswitch/tool/main.c,$(TOOL_SRC)))
$(B)/xbar: $(B)/vswitch/tool/main.o $(addprefix $(B)/lib,tool.a hv.a base.a)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TOOL_LIBS)

# ---- tests -----------------------------------------------------------------------------------------------------------
# Each unit test file is a program, linked with everything but the mains. Under gcc, fuzz targets replay their corpora.

UNIT := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(wildcard tests/unit/test_*.c))
FUZZ := $(patsubst tests/fuzz/%.c,$(B)/tests/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
$(B)/tests/unit/%: $(B)/tests/unit/%.o $(PARTS)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(DAEMON_LIBS) -lcmocka
# Preloaded, this lets a real xenstored run without Xen.
$(B)/tests/unit/test_xenback: | $(B)/tests/xen/no_hypervisor.so
$(B)/tests/xen/%.so: tests/xen/%.c
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(filter-out -Wmissing-prototypes,$(WARN)) $(CPPFLAGS) -shared -fPIC -o $@ $<
# Programs for dom0 of a real Xen; tests/xen/test_netif.py copies them there.
XEN_TESTS := $(patsubst %,$(B)/tests/xen/%,pair features hostile)
$(XEN_TESTS): $(B)/tests/xen/%: $(B)/tests/xen/%.o \
		$(patsubst %,$(B)/tests/xen/%.o,front front_ctrl front_store) $(B)/libvif.a $(B)/libbase.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lxengnttab -lxenevtchn -lxenstore
$(B)/tests/xen/hostile: $(B)/tests/xen/hostile_ring.o $(B)/tests/xen/hostile_ctrl.o
# Two guests that behave, beside those of tests/hostile that do not.
$(B)/tests/hostile/bystanders: $(B)/tests/hostile/bystanders.o $(addprefix $(B)/bench/,frontend.o guest.o)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^
# FUZZER=1: with libFuzzer's main, by clang.
$(B)/tests/fuzz/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(if $(FUZZER),,$(B)/tests/fuzz/replay.o) $(B)/libtool.a $(PARTS)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(if $(FUZZER),-fsanitize=fuzzer) -Wl,--as-needed -o $@ $^ $(DAEMON_LIBS) $(TOOL_LIBS)
.SECONDARY:

.PHONY: check check-san test lint lint-tools
# The fast tests: no root, under a minute.
check: all $(UNIT) $(FUZZ) $(B)/tests/hostile/bystanders
	@tests/run-check $(B)

# The same with the address and undefined-behaviour sanitizers; clang's see more than gcc's (offsets to null pointers). Rings
# may be unaligned, which is fine on x86.
SANITIZE := -fsanitize=address,undefined -fno-sanitize=alignment -fno-sanitize-recover=all
check-san:
	$(MAKE) --no-print-directory CC=clang B=$(B)/san CFLAGS='-O1 -g' SAN='$(SANITIZE)' check

# The tests that start threads, with the thread sanitizer. It does not model fences, and gcc warns of each (-Wno-tsan).
# Nothing is suppressed; what liburcu orders is told to it in vswitch/datapath/rcu.h.
THREADED := $(filter $(shell grep -lE 'pthread_create|workers_start' tests/unit/*.c | sed 's|.*/|%/|; s|\.c$$||'),$(UNIT))
.PHONY: check-tsan check-threads
check-tsan:
	$(MAKE) --no-print-directory B=$(B)/tsan CFLAGS='-O1 -g' SAN='-fsanitize=thread -Wno-tsan' check-threads
check-threads: $(THREADED)
	@tests/run-check $(B) $^

# make fuzz TARGET=ring [SECONDS=60]: look for new inputs with libFuzzer. What it finds stays in $(B)/fuzz/corpus/TARGET, and
# what breaks the target in $(B)/fuzz/TARGET-*. make fuzz-keep TARGET=ring: those that add something go into tests/fuzz/corpus.
SECONDS ?= 60
.PHONY: fuzz fuzz-keep fuzz-build
fuzz fuzz-keep: FUZZED = $(B)/fuzz/corpus/$(TARGET) tests/fuzz/corpus/$(TARGET)
fuzz: fuzz-build
	@mkdir -p $(FUZZED)
	$(B)/fuzz/tests/fuzz/fuzz_$(TARGET) -max_total_time=$(SECONDS) -timeout=10 -print_final_stats=1 \
		-artifact_prefix=$(B)/fuzz/$(TARGET)- $(FUZZED)
fuzz-keep: fuzz-build
	$(B)/fuzz/tests/fuzz/fuzz_$(TARGET) -merge=1 tests/fuzz/corpus/$(TARGET) $(B)/fuzz/corpus/$(TARGET)
fuzz-build:
	@test -e 'tests/fuzz/fuzz_$(TARGET).c' || { \
		echo 'make fuzz TARGET=NAME: one of $(FUZZ:$(B)/tests/fuzz/fuzz_%=%)' >&2; exit 1; }
	@$(MAKE) --no-print-directory B=$(B)/fuzz CC=clang CFLAGS='-O1 -g' FUZZER=1 \
		SAN='-fsanitize=fuzzer-no-link $(SANITIZE)' \
		$(B)/fuzz/tests/fuzz/fuzz_$(TARGET)

# All of it by the other compiler.
.PHONY: check-clang
check-clang:
	$(MAKE) --no-print-directory CC=clang B=$(B)/clang all check bench-programs

test: deps-build deps-run deps-test deps-xen
	$(MAKE) --no-print-directory check
	$(MAKE) --no-print-directory check-san
	$(MAKE) --no-print-directory check-tsan
	$(MAKE) --no-print-directory check-clang
	$(MAKE) --no-print-directory lint
	tests/run-system $(B)
	$(MAKE) --no-print-directory test-xen

# On a real Xen, in an emulated machine; takes a quarter of an hour. KEEP=1 leaves it up; XEN_COMPARE=N compares xbard with
# the kernel's backend in N rounds.
.PHONY: test-xen deps-xen
test-xen: deps-build deps-xen
	$(MAKE) --no-print-directory all
	tests/run-xen $(B)

deps-xen: PKGS = $(PKGS_XEN)
deps-xen: # RUNLEVEL=1 keeps the packages' daemons from being started (invoke-rc.d(8))
	@RUNLEVEL=1 scripts/dev/deps $(PKGS)

lint:
	tests/lint

# ---- the classic set-up, on real guests ------------------------------------------------------------------------------

.PHONY: run deps-build deps-run deps-test
run: deps-build deps-run
	$(MAKE) --no-print-directory all
	KEEP=$(KEEP) scripts/dev/scene $(B)

# Install the packages that are missing, if any.
deps-build: PKGS = $(PKGS_BUILD)
deps-run: PKGS = $(PKGS_RUN)
deps-test: PKGS = $(PKGS_TEST)
deps-build deps-run deps-test:
	@scripts/dev/deps $(PKGS)

# ---- the benchmark ---------------------------------------------------------------------------------------------------
# make bench [QUICK=1] [BENCH='--frames 64,tso --peers xbar,ovs']; see bench/run --help

BENCH_PROGRAMS := $(addprefix $(B)/bench/,generate path peer_floor peer_twocopy)
$(B)/bench/generate: $(addprefix $(B)/bench/,generate.o load.o traffic.o frame.o guest.o frontend.o probe.o)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lpthread
$(B)/bench/path: $(addprefix $(B)/bench/,path.o load.o traffic.o frame.o guest.o) $(PARTS)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(DAEMON_LIBS)
$(B)/bench/peer_twocopy: PEER_LIBS := -lrte_vhost
$(B)/bench/peer_%: $(B)/bench/peer_%.o $(PARTS)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(DAEMON_LIBS) $(PEER_LIBS)

$(B)/tests/unit/test_worker: $(B)/tests/unit/mem_port.o
$(B)/tests/unit/test_bench_guest: $(addprefix $(B)/bench/,traffic.o frame.o guest.o)

.PHONY: bench bench-programs deps-bench
bench-programs: all $(BENCH_PROGRAMS)
bench: deps-build deps-bench
	$(MAKE) --no-print-directory bench-programs
	bench/run --build $(B) $(if $(QUICK),--quick) $(BENCH)

deps-bench: PKGS = $(PKGS_BENCH)
deps-bench: # RUNLEVEL=1 keeps the packages' daemons from being started (invoke-rc.d(8)); the benchmark starts its own
	@RUNLEVEL=1 scripts/dev/deps $(PKGS)

# ---- install ---------------------------------------------------------------------------------------------------------

LIBDIR := $(PREFIX)/lib/xbar
.PHONY: install uninstall
install: all $(BENCH_PROGRAMS)
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(LIBDIR)/scripts $(DESTDIR)$(LIBDIR)/bench \
		$(DESTDIR)$(SYSCONFDIR)/xbar \
		$(DESTDIR)$(SYSCONFDIR)/modprobe.d \
		$(DESTDIR)$(PREFIX)/share/man/man8 $(DESTDIR)$(PREFIX)/share/man/man5 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/lib/systemd/system \
		$(DESTDIR)$(PREFIX)/share/doc/xbar/examples
	install -m 755 $(B)/xbard $(B)/xbar $(DESTDIR)$(PREFIX)/sbin/
	install -m 755 scripts/network-bridge scripts/vif-bridge scripts/my_network_script $(DESTDIR)$(LIBDIR)/scripts/
	install -m 755 scripts/brctl $(DESTDIR)$(LIBDIR)/brctl
	install -m 755 bench/run $(BENCH_PROGRAMS) $(DESTDIR)$(LIBDIR)/bench/
	install -m 644 bench/*.py bench/plot.gp $(DESTDIR)$(LIBDIR)/bench/
	for f in xbar.conf xend-config.sxp; do \
		test -e $(DESTDIR)$(SYSCONFDIR)/xbar/$$f || install -m 644 conf/$$f $(DESTDIR)$(SYSCONFDIR)/xbar/$$f; done
	install -m 644 conf/xbar-xen.conf $(DESTDIR)$(SYSCONFDIR)/modprobe.d/
	install -m 644 conf/man/*.8 $(DESTDIR)$(PREFIX)/share/man/man8/
	install -m 644 conf/man/*.5 $(DESTDIR)$(PREFIX)/share/man/man5/
	install -m 644 conf/completion/xbar $(DESTDIR)$(PREFIX)/share/bash-completion/completions/xbar
	sed 's|@PREFIX@|$(PREFIX)|g' conf/xbard.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/xbard.service
	install -m 644 conf/guests/* $(DESTDIR)$(PREFIX)/share/doc/xbar/examples/

# Configuration is kept, except the file that keeps the kernel from serving Xen guests itself.
uninstall:
	rm -rf $(DESTDIR)$(PREFIX)/sbin/xbard $(DESTDIR)$(PREFIX)/sbin/xbar $(DESTDIR)$(LIBDIR) \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/xbar $(DESTDIR)$(PREFIX)/share/doc/xbar \
		$(DESTDIR)$(PREFIX)/lib/systemd/system/xbard.service \
		$(DESTDIR)$(SYSCONFDIR)/modprobe.d/xbar-xen.conf \
		$(addprefix $(DESTDIR)$(PREFIX)/share/man/man8/,$(notdir $(wildcard conf/man/*.8))) \
		$(addprefix $(DESTDIR)$(PREFIX)/share/man/man5/,$(notdir $(wildcard conf/man/*.5)))

.PHONY: clean help
clean:
	rm -rf $(B)

help:
	@echo 'make            build xbard and xbar in build/'
	@echo 'make run        install missing packages, build, run the classic set-up with two real guests (root)'
	@echo '                KEEP=1 leaves it up'
	@echo 'make test       install missing packages, build, run all tests (root)'
	@echo 'make test-xen   only the tests on a real Xen, in an emulated machine (root)'
	@echo 'make check      unit, golden, corpus and manual tests: under a minute, no root'
	@echo 'make check-san  the same, with the address and undefined-behaviour sanitizers'
	@echo 'make check-tsan tests that start threads, with the thread sanitizer'
	@echo 'make check-clang build and check with clang'
	@echo 'make fuzz       TARGET=NAME SECONDS=60: look for inputs that break a parser, with libFuzzer'
	@echo 'make lint       formatting, cppcheck, shellcheck, include directions'
	@echo 'make bench      inter-guest throughput, compared with other switches (root); QUICK=1 takes two minutes'
	@echo 'make install    DESTDIR= PREFIX=/usr/local SYSCONFDIR=/etc'
	@echo 'make uninstall  remove what was installed; configuration is kept'
	@echo 'make clean      remove build/'

-include $(shell find $(B) -name '*.d' 2>/dev/null)
