# SPDX-License-Identifier: BSD-3-Clause
# `make help` lists what can be made.

PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR    ?=
B          ?= build
CC         ?= gcc
SAN        ?=

PKGS_BUILD := gcc make pkg-config libc6-dev libdpdk-dev libnl-3-dev libnl-route-3-dev libmnl-dev libpcap-dev \
	libevent-dev libjansson-dev liburcu-dev libcmocka-dev
PKGS_RUN   := iproute2 ethtool user-mode-linux busybox-static iperf3 cpio
PKGS_TEST  := python3-scapy python3-pytest qemu-system-x86 linux-image-amd64 bridge-utils shellcheck cppcheck \
	clang-format

PC_DAEMON := libdpdk libnl-3.0 libnl-route-3.0 libmnl libevent jansson liburcu-qsbr
CFLAGS   ?= -O3 -g
WARN     := -std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Werror
CPPFLAGS += -I. -D_GNU_SOURCE -DXBAR_PREFIX='"$(PREFIX)"' -DXBAR_SYSCONFDIR='"$(SYSCONFDIR)"'
DPDK_CFLAGS = $(filter-out -march=%,$(shell pkg-config --cflags libdpdk)) -mssse3
DPDK_LIBS   = -lrte_eal -lrte_ethdev -lrte_mbuf -lrte_mempool -lrte_vhost -lrte_bus_vdev -lrte_bus_pci -lrte_kvargs
ALL_CFLAGS  = $(CFLAGS) $(WARN) $(CPPFLAGS) -MMD -MP $(SAN)

BRIDGE_SRC := $(wildcard bridge/*.c)
VIF_SRC    := $(wildcard vif/*.c)
HV_SRC     := $(wildcard hypervisor/*.c)
DAEMON_SRC := $(wildcard vswitch/*.c)
TOOL_SRC   := $(wildcard vswitch/tool/*.c)
UNIT_SRC   := $(wildcard tests/unit/test_*.c)
obj = $(patsubst %.c,$(B)/%.o,$(1))

DAEMON_LIBS = $(DPDK_LIBS) -lnl-route-3 -lnl-3 -lmnl -levent -ljansson -lurcu-qsbr -lpthread
TOOL_LIBS   = -ljansson -lutil

.PHONY: all run test check lint install uninstall clean help deps-build deps-run deps-test
all: $(B)/xbard $(B)/xbar

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(if $(filter vif/% vswitch/%,$<),$(DPDK_CFLAGS) -I/usr/include/libnl3) -c -o $@ $<

$(B)/libbridge.a: $(call obj,$(BRIDGE_SRC))
$(B)/libvif.a: $(call obj,$(VIF_SRC))
$(B)/libhv.a: $(call obj,$(HV_SRC))
$(B)/lib%.a:
	@rm -f $@
	ar rcs $@ $^

$(B)/xbard: $(call obj,$(DAEMON_SRC)) $(B)/libvif.a $(B)/libhv.a $(B)/libbridge.a
	$(CC) $(SAN) -o $@ $^ $(DAEMON_LIBS)

$(B)/xbar: $(call obj,$(TOOL_SRC)) $(B)/libhv.a
	$(CC) $(SAN) -o $@ $^ $(TOOL_LIBS)

# Unit tests: one program a file, linked with everything but the two mains.
$(B)/tests/unit/%: $(B)/tests/unit/%.o $(B)/libvif.a $(B)/libhv.a $(B)/libbridge.a
	$(CC) $(SAN) -o $@ $^ $(DAEMON_LIBS) -lcmocka
UNIT := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(UNIT_SRC))
$(B)/tests/unit/test_vhost%.o $(B)/tests/unit/test_offload%.o: CPPFLAGS += $(DPDK_CFLAGS)

-include $(shell find $(B) -name '*.d' 2>/dev/null)
