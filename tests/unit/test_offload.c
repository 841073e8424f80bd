/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Software segmentation and checksums: what comes out must carry every payload byte once, in order, under headers and
 * checksums that are right on their own; and what cannot be must be refused.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vif/offload.h"

static struct offload *o;
static uint8_t bytes[VIF_FRAME_MAX] __attribute__((aligned(64)));
static struct vif_seg seg[600];

static int setup(void **state)
{
	(void)state;
	o = aligned_alloc(64, (sizeof(*o) + 63) & ~63UL);
	return o ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(o);
	return 0;
}

static uint16_t be16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

/* A frame {Ethernet, `vlan` tags, IPv4 or IPv6, TCP with `opt` bytes of options, or UDP} with `payload` bytes. */
static struct vif_frame make(bool v6, bool tcp, unsigned vlan, unsigned opt, uint32_t payload, uint16_t gso,
			     uint32_t piece)
{
	struct vif_frame f = {.head = bytes, .seg = seg};
	unsigned l3 = 14 + 4 * vlan, l4 = l3 + (v6 ? 40 : 20), hdr = l4 + (tcp ? 20 + opt : 8);
	uint8_t *ip = bytes + l3, *tp = bytes + l4;

	memset(bytes, 0, hdr);
	for (unsigned i = 0; i < 12; i++)
		bytes[i] = i + 2;
	for (unsigned i = 0; i < vlan; i++) {
		bytes[12 + 4 * i] = 0x81;
		bytes[15 + 4 * i] = 7;
	}
	bytes[l3 - 2] = v6 ? 0x86 : 0x08;
	bytes[l3 - 1] = v6 ? 0xdd : 0x00;
	if (v6) {
		ip[0] = 0x60;
		ip[6] = tcp ? 6 : 17;
		for (unsigned i = 8; i < 40; i++)
			ip[i] = i;
	} else {
		ip[0] = 0x45;
		ip[5] = 250; /* ID 250: counts past 255 */
		ip[8] = 64;
		ip[9] = tcp ? 6 : 17;
		for (unsigned i = 12; i < 20; i++)
			ip[i] = i * 3;
	}
	tp[1] = 80;
	tp[3] = 81;
	if (tcp) {
		tp[4] = 0xff, tp[5] = 0xff, tp[6] = 0xff, tp[7] = 0xf0; /* the sequence number wraps */
		tp[12] = (20 + opt) / 4 << 4;
		tp[13] = 0x80 | 0x10 | 0x08 | 0x01; /* CWR ACK PSH FIN */
	}
	f.len = hdr + payload;
	for (uint32_t i = hdr; i < f.len; i++)
		bytes[i] = i * 31 + (i >> 8);
	f.head_len = f.len < VIF_HEAD_LEN ? f.len : VIF_HEAD_LEN;
	for (uint32_t from = f.head_len; from < f.len; from += piece)
		seg[f.nseg++] =
			(struct vif_seg){.va = bytes + from, .len = f.len - from < piece ? f.len - from : piece};
	f.off = (struct vif_offload){
		.needs = VIF_CAP_CSUM, .csum_start = l4, .csum_offset = tcp ? 16 : 6, .gso_size = gso};
	if (gso)
		f.off.needs |= tcp ? (v6 ? VIF_CAP_TSO6 : VIF_CAP_TSO4) : (v6 ? VIF_CAP_USO6 : VIF_CAP_USO4);
	return f;
}

/* RFC 1071, written another way than the code under test: 0 when `n` bytes with their checksum in them are right. */
static uint32_t ones(const uint8_t *p, uint32_t n, uint32_t sum)
{
	for (uint32_t i = 0; i < n; i++) {
		sum += i & 1 ? p[i] : p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static void check_sums(const uint8_t *p, uint32_t len, bool v6, bool tcp, unsigned l3)
{
	unsigned l4 = l3 + (v6 ? 40 : 20);
	uint32_t sum = (tcp ? 6 : 17) + (len - l4);

	if (!v6)
		assert_int_equal(ones(p + l3, 20, 0), 0xffff);
	sum = ones(v6 ? p + l3 + 8 : p + l3 + 12, v6 ? 32 : 8, sum);
	assert_int_equal(ones(p + l4, len - l4, sum), 0xffff);
}

static void flatten(const struct vif_frame *f, uint8_t *out)
{
	memcpy(out, f->head, f->head_len);
	out += f->head_len;
	for (unsigned s = 0; s < f->nseg; s++) {
		memcpy(out, f->seg[s].va, f->seg[s].len);
		out += f->seg[s].len;
	}
}

static void check_cut(bool v6, bool tcp, unsigned vlan, unsigned opt, uint32_t payload, uint16_t gso, uint32_t piece)
{
	struct vif_frame f = make(v6, tcp, vlan, opt, payload, gso, piece);
	unsigned l3 = 14 + 4 * vlan, l4 = l3 + (v6 ? 40 : 20), hdr = l4 + (tcp ? 20 + opt : 8), n, made = 0;
	static uint8_t out[OFFLOAD_SLOT];
	uint32_t at = 0;

	assert_int_equal(offload_begin(o, &f, 0), 0);
	while ((n = offload_next(o, OFFLOAD_SLOTS))) {
		for (unsigned i = 0; i < n; i++, made++) {
			const struct vif_frame *s = &o->made[i];
			uint32_t part = s->len - hdr;
			bool last = at + part == payload;

			assert_int_equal(s->off.needs, 0);
			assert_true(part == gso || last);
			flatten(s, out);
			assert_memory_equal(out + hdr, bytes + hdr + at, part);
			check_sums(out, s->len, v6, tcp, l3);
			if (v6)
				assert_int_equal(be16(out + l3 + 4), s->len - l4);
			else
				assert_int_equal(be16(out + l3 + 2), s->len - l3);
			if (!v6)
				assert_int_equal(be16(out + l3 + 4), 250 + made);
			if (tcp) {
				assert_int_equal(be32(out + l4 + 4), 0xfffffff0 + at);
				assert_int_equal(out[l4 + 13], 0x10 | (made ? 0 : 0x80) | (last ? 0x09 : 0));
			} else {
				assert_int_equal(be16(out + l4 + 4), part + 8);
			}
			at += part;
		}
	}
	assert_int_equal(at, payload);
	assert_int_equal(made, (payload + gso - 1) / gso);
}

static void every_kind_of_frame_is_cut_right(void **state)
{
	static const uint32_t payloads[] = {1, 100, 1448, 1449, 2896, 14480, 64000};
	static const uint32_t pieces[] = {65536, 4096, 777};

	(void)state;
	for (unsigned kind = 0; kind < 4; kind++)
		for (unsigned vlan = 0; vlan < 3; vlan++)
			for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++)
				for (size_t k = 0; k < 3; k++)
					check_cut(kind & 1, kind & 2, vlan, 12, payloads[i], 1448, pieces[k]);
	check_cut(false, true, 0, 0, 9000, 500, 100);
	check_cut(false, true, 0, 40, 60000, 8900, 4096);
}

static void a_partial_checksum_is_completed(void **state)
{
	static uint8_t out[OFFLOAD_SLOT];

	(void)state;
	for (unsigned kind = 0; kind < 4; kind++) {
		bool v6 = kind & 1, tcp = kind & 2;

		for (uint32_t payload = 1; payload < 1500; payload += 97) {
			struct vif_frame f = make(v6, tcp, 0, 0, payload, 0, 333);
			unsigned l4 = f.off.csum_start;
			uint32_t pseudo = ones(v6 ? bytes + 22 : bytes + 26, v6 ? 32 : 8, (tcp ? 6 : 17) + f.len - l4);

			bytes[l4 + f.off.csum_offset] = pseudo >> 8;
			bytes[l4 + f.off.csum_offset + 1] = pseudo & 0xff;
			if (!v6) { /* the IP header's own is the sender's business: make it right */
				uint32_t ip = ~ones(bytes + 14, 20, 0);

				bytes[24] = ip >> 8;
				bytes[25] = ip & 0xff;
			}
			assert_int_equal(offload_begin(o, &f, 0), 0);
			assert_int_equal(offload_next(o, OFFLOAD_SLOTS), 1);
			assert_int_equal(o->made[0].len, f.len);
			flatten(&o->made[0], out);
			check_sums(out, f.len, v6, tcp, 14);
			assert_int_equal(offload_next(o, OFFLOAD_SLOTS), 0);
		}
	}
}

static void headers_that_do_not_agree_with_the_metadata_are_refused(void **state)
{
	struct vif_frame f;

	(void)state;
	f = make(false, true, 0, 0, 5000, 1448, 4096);
	f.off.csum_start++;
	assert_int_equal(offload_begin(o, &f, 0), -EINVAL);
	f = make(false, true, 0, 0, 5000, 1448, 4096);
	f.off.csum_offset = 6;
	assert_int_equal(offload_begin(o, &f, 0), -EINVAL);
	f = make(false, true, 0, 0, 5000, 1448, 4096);
	f.off.needs = VIF_CAP_CSUM | VIF_CAP_TSO6;
	assert_int_equal(offload_begin(o, &f, 0), -EINVAL);
	f = make(false, true, 0, 0, 5000, 1448, 4096);
	bytes[14] = 0x4f; /* an IP header longer than csum_start says */
	assert_int_equal(offload_begin(o, &f, 0), -EINVAL);
	f = make(false, true, 0, 0, 5000, 1448, 4096);
	bytes[46] = 0x40; /* a TCP header of 16 bytes */
	assert_int_equal(offload_begin(o, &f, 0), -EINVAL);
	f = make(false, true, 2, 0, 5000, 1448, 4096);
	bytes[20] = 0x81, bytes[21] = 0x00; /* a third VLAN tag */
	assert_int_equal(offload_begin(o, &f, 0), -EINVAL);
	f = make(true, true, 0, 0, 5000, 1448, 4096);
	bytes[20] = 0; /* an extension header where TCP should be */
	assert_int_equal(offload_begin(o, &f, 0), -EINVAL);
}

static void work_is_bounded_whatever_the_sender_asks(void **state)
{
	struct vif_frame f;

	(void)state;
	f = make(false, true, 0, 0, 60000, 1, 4096);
	assert_int_equal(offload_begin(o, &f, 0), -EMSGSIZE);
	f = make(false, true, 0, 0, 60000, 20000, 4096);
	assert_int_equal(offload_begin(o, &f, 0), -EMSGSIZE);
	f = make(false, true, 0, 0, 60000, 0, 4096);
	assert_int_equal(offload_begin(o, &f, 0), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_frame_is_cut_right),
		cmocka_unit_test(a_partial_checksum_is_completed),
		cmocka_unit_test(headers_that_do_not_agree_with_the_metadata_are_refused),
		cmocka_unit_test(work_is_bounded_whatever_the_sender_asks),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
