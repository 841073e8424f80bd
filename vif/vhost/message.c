/* SPDX-License-Identifier: BSD-3-Clause */
#include "message.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FLAG_VERSION 1u
#define FLAG_VERSION_MASK 3u
#define FLAG_REPLY 4u
#define FLAG_NEED_REPLY 8u

#define RING_INDEX 0xffu
#define RING_NO_FD 0x100u
#define RING_LOG 1u

enum { /* protocol features */
       P_MQ = 0,
       P_LOG_SHMFD = 1,
       P_RARP = 2,
       P_REPLY_ACK = 3,
       P_MTU = 4,
       P_BACKEND_REQ = 5,
       P_CROSS_ENDIAN = 6,
       P_CONFIG = 9,
       P_RESET_DEVICE = 13,
       P_CONFIGURE_MEM_SLOTS = 15,
       P_STATUS = 16,
       P_NONE = 63, /* the message needs none */
};

enum { /* what a handler returns, or -errno: the connection is to end */
       DONE = 0,
       REPLY = 1, /* the message has been made its own reply */
       REFUSED = 2, /* the front end is told so, if it asked; nothing has changed */
};

typedef int (*handler)(struct device *d, struct message *m, struct message_fds *fds, struct err *err);

static int take_fd(struct message_fds *fds, unsigned i)
{
	int fd = fds->fd[i];

	fds->fd[i] = -1;
	return fd;
}

static int reply_u64(struct message *m, uint64_t value)
{
	m->u64 = value;
	m->size = sizeof(m->u64);
	return REPLY;
}

/* ---- negotiation ------------------------------------------------------------------------------------------------- */

static uint64_t protocol_features(struct device *d)
{
	uint64_t f = 1ULL << P_MQ | 1ULL << P_LOG_SHMFD | 1ULL << P_RARP | 1ULL << P_REPLY_ACK | 1ULL << P_MTU |
		     1ULL << P_BACKEND_REQ | 1ULL << P_CROSS_ENDIAN | 1ULL << P_RESET_DEVICE |
		     1ULL << P_CONFIGURE_MEM_SLOTS | 1ULL << P_STATUS;

	/*
	 * QEMU answers reads of the configuration space itself, and warns of a back-end that offers to. It is the one that
	 * negotiates before it takes ownership, at least for its first queue.
	 */
	if (!d->asked)
		d->offers_config = d->owned;
	d->asked = true;
	return d->offers_config ? f | 1ULL << P_CONFIG : f;
}

static int get_features(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	(void)fds;
	(void)err;
	return reply_u64(m, d->offered);
}

static int set_features(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	(void)fds;
	if (m->u64 & ~d->offered)
		return err_set(err, -EINVAL, "features 0x%llx were not offered",
			       (unsigned long long)(m->u64 & ~d->offered));
	if (d->negotiated && d->features == m->u64)
		return DONE;
	device_stop(d);
	d->features = m->u64;
	d->negotiated = true;
	return DONE;
}

static int set_owner(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	(void)m;
	(void)fds;
	(void)err;
	d->owned = true;
	return DONE;
}

/* RESET_OWNER and RESET_DEVICE */
static int reset(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	(void)m;
	(void)fds;
	(void)err;
	device_reset_rings(d);
	return DONE;
}

static int get_protocol_features(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	(void)fds;
	(void)err;
	return reply_u64(m, protocol_features(d));
}

static int set_protocol_features(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	const uint64_t more = m->u64 & ~protocol_features(d);

	(void)fds;
	if (more)
		return err_set(err, -EINVAL, "protocol features 0x%llx were not offered", (unsigned long long)more);
	d->protocol = m->u64;
	return DONE;
}

static int get_queue_num(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	(void)fds;
	(void)err;
	return reply_u64(m, d->pairs);
}

static int set_mtu(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	(void)fds;
	(void)err;
	return m->u64 < 68 || m->u64 > 65535 || (d->config.mtu && m->u64 > d->config.mtu) ? REFUSED : DONE;
}

/* The guest has come from another host, and does not say so itself. */
static int send_rarp(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	uint8_t mac[8];

	(void)fds;
	memcpy(mac, &m->u64, sizeof(mac));
	if (mac[0] & 1 || !m->u64 || mac[6] || mac[7])
		return err_set(err, -EINVAL, "0x%llx is no guest's MAC address", (unsigned long long)m->u64);
	device_announce(d, mac);
	return DONE;
}

/* We have nothing to ask for; but without the channel User-Mode Linux has no interrupt for its rings. */
static int set_backend_req_fd(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	(void)m;
	(void)err;
	if (d->backend >= 0)
		close(d->backend);
	d->backend = take_fd(fds, 0);
	return DONE;
}

static int get_status(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	(void)fds;
	(void)err;
	return reply_u64(m, d->status);
}

static int set_status(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	(void)fds;
	if (m->u64 > UINT8_MAX)
		return err_set(err, -EINVAL, "status 0x%llx has more than eight bits", (unsigned long long)m->u64);
	d->status = (uint8_t)m->u64;
	if (d->status)
		return DONE;
	/* A reset. QEMU 7.2 asks afterwards where the rings stood. */
	device_stop(d);
	for (unsigned i = 0; i < VRINGS_MAX; i++)
		d->setup[i].started = false;
	return DONE;
}

/* ---- the configuration space ------------------------------------------------------------------------------------- */

/* Whether as many bytes come with the message as it says. */
static bool config_fits(const struct message *m)
{
	return m->config.size <= MESSAGE_CONFIG &&
	       m->size == offsetof(struct message, config.bytes) - MESSAGE_HEADER + m->config.size;
}

static int get_config(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	const uint32_t offset = m->config.offset, size = m->config.size;

	(void)fds;
	if (!config_fits(m))
		return err_set(err, -EINVAL, "it asks for %u bytes of the configuration space in %u", size, m->size);
	memset(m->config.bytes, 0, size);
	for (uint32_t i = 0; i < size && offset < sizeof(d->config) && i < sizeof(d->config) - offset; i++)
		m->config.bytes[i] = ((const uint8_t *)&d->config)[offset + i];
	return REPLY;
}

static int set_config(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	(void)d;
	(void)fds;
	if (!config_fits(m))
		return err_set(err, -EINVAL, "it sets %u bytes of the configuration space in %u", m->config.size,
			       m->size);
	return REFUSED; /* nothing in it can be written */
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static int add_region(struct device *d, struct message_region r, int fd, struct err *err)
{
	return memory_add(&d->memory, r.gpa, r.size, r.user, r.offset, fd, err);
}

static int set_mem_table(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	const uint32_t n = m->table.n;

	if (!n || n > MESSAGE_TABLE || m->size < 8 + n * sizeof(m->table.region[0]))
		return err_set(err, -EINVAL, "a memory table of %u regions in %u bytes", n, m->size);
	if (fds->n != n)
		return err_set(err, -EINVAL, "a memory table of %u regions with %u descriptors", n, fds->n);
	device_stop(d);
	memory_clear(&d->memory);
	for (uint32_t i = 0; i < n; i++) {
		int r = add_region(d, m->table.region[i], fds->fd[i], err);
		if (r)
			return r;
	}
	return DONE;
}

static int get_max_mem_slots(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	(void)d;
	(void)fds;
	(void)err;
	return reply_u64(m, RING_REGIONS);
}

static int add_mem_reg(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	device_stop(d);
	return add_region(d, m->slot.region, fds->fd[0], err);
}

static int rem_mem_reg(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	const struct message_region r = m->slot.region;

	(void)fds;
	device_stop(d);
	return memory_remove(&d->memory, r.gpa, r.size, r.user, err);
}

/* ---- the dirty log ----------------------------------------------------------------------------------------------- */

/* The reply comes when no worker marks anything in the log before. */
static int set_log_base(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	int r;

	device_stop(d);
	r = memory_log(&d->memory, m->log.size, m->log.offset, fds->fd[0], err);
	return r ? r : reply_u64(m, 0);
}

/* Nobody has to be told that something was marked. */
static int set_log_fd(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	(void)d;
	(void)m;
	(void)fds;
	(void)err;
	return DONE;
}

/* ---- rings ------------------------------------------------------------------------------------------------------- */

/* The ring that a message is about, out of the workers' hands; NULL: there is no such ring. */
static struct ring_setup *ring(struct device *d, uint64_t index, struct err *err)
{
	if (index > 2 * d->pairs) {
		err_set(err, -EINVAL,
			"it has a ring %llu, and the vif %u queue%s: give both the same number (`xbar vif add "
			"--queues`)",
			(unsigned long long)index, d->pairs, d->pairs == 1 ? "" : "s");
		return NULL;
	}
	device_touch(d, (unsigned)index);
	return &d->setup[index];
}

/* Whether rings are known to be split. Front ends may describe rings before they choose. */
static bool rings_are_split(const struct device *d)
{
	return !(d->offered & VIRTIO_F(VIRTIO_F_RING_PACKED)) ||
	       (d->negotiated && !(d->features & VIRTIO_F(VIRTIO_F_RING_PACKED)));
}

static int set_vring_num(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	const uint32_t n = m->state.num;
	struct ring_setup *v = ring(d, m->state.index, err);

	(void)fds;
	if (!v)
		return -EINVAL;
	if (!n || n > VRING_SIZE_MAX)
		return err_set(err, -EINVAL, "a ring of %u entries: there are 1 to %d", n, VRING_SIZE_MAX);
	if (n & (n - 1) && rings_are_split(d))
		return err_set(err, -EINVAL, "a split ring of %u entries, which is no power of two", n);
	v->size = n;
	return DONE;
}

static int set_vring_addr(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	struct ring_setup *v = ring(d, m->addr.index, err);

	(void)fds;
	if (!v)
		return -EINVAL;
	if (m->addr.flags & ~RING_LOG)
		return err_set(err, -EINVAL, "a ring with flags 0x%x, which were not negotiated", m->addr.flags);
	v->desc = m->addr.desc;
	v->avail = m->addr.avail;
	v->used = m->addr.used;
	v->log = m->addr.log;
	v->logs_used = m->addr.flags & RING_LOG;
	v->addressed = true;
	return DONE;
}

static int set_vring_base(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	struct ring_setup *v = ring(d, m->state.index, err);

	(void)fds;
	if (!v)
		return -EINVAL;
	/* of a packed ring the upper half says what was used: the same, since buffers are completed in order */
	if (m->state.num > UINT16_MAX && rings_are_split(d))
		return err_set(err, -EINVAL, "a ring stands at entry 0x%x, which needs more than 16 bits",
			       m->state.num);
	v->base = (uint16_t)m->state.num;
	return DONE;
}

/* Where the ring stands; this stops it. */
static int get_vring_base(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	struct ring_setup *v = ring(d, m->state.index, err);

	(void)fds;
	if (!v)
		return -EINVAL;
	v->started = false;
	if (v->kickfd >= 0)
		close(v->kickfd);
	v->kickfd = -1;
	m->state.num = d->features & VIRTIO_F(VIRTIO_F_RING_PACKED) ? v->base | (uint32_t)v->base << 16 : v->base;
	m->size = sizeof(m->state);
	return REPLY;
}

/* The ring of a message with a descriptor, which is *fd, or -1: none was sent, on purpose. */
static struct ring_setup *ring_with_fd(struct device *d, const struct message *m, struct message_fds *fds, int *fd,
				       struct err *err)
{
	struct ring_setup *v;

	if (m->u64 & ~(uint64_t)(RING_INDEX | RING_NO_FD)) {
		err_set(err, -EINVAL, "0x%llx names no ring", (unsigned long long)m->u64);
		return NULL;
	}
	if (fds->n != !(m->u64 & RING_NO_FD)) {
		err_set(err, -EINVAL, "%u descriptors, and it says %s", fds->n, m->u64 & RING_NO_FD ? "none" : "one");
		return NULL;
	}
	v = ring(d, m->u64 & RING_INDEX, err);
	if (v)
		*fd = fds->n ? take_fd(fds, 0) : -1;
	return v;
}

static int set_vring_kick(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	int fd;
	struct ring_setup *v = ring_with_fd(d, m, fds, &fd, err);

	if (!v)
		return -EINVAL;
	if (fd >= 0 && !signal_is_waitable(fd)) {
		close(fd);
		return err_set(err, -EINVAL, "a ring's kick descriptor is neither an eventfd nor a unix stream socket");
	}
	if (v->kickfd >= 0)
		close(v->kickfd);
	v->kickfd = fd;
	device_start_ring(d, m->u64 & RING_INDEX);
	return DONE;
}

static int set_vring_call(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	int fd;
	struct ring_setup *v = ring_with_fd(d, m, fds, &fd, err);

	if (!v)
		return -EINVAL;
	signal_close(&v->call);
	return fd >= 0 ? signal_adopt(fd, &v->call, err) : DONE;
}

/* What goes wrong is told to the administrator, not to the guest. */
static int set_vring_err(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	if (m->u64 & ~(uint64_t)(RING_INDEX | RING_NO_FD) || (m->u64 & RING_INDEX) > 2 * d->pairs ||
	    fds->n != !(m->u64 & RING_NO_FD))
		return err_set(err, -EINVAL, "0x%llx with %u descriptors", (unsigned long long)m->u64, fds->n);
	return DONE;
}

static int set_vring_enable(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	struct ring_setup *v;

	(void)fds;
	if (m->state.num > 1)
		return err_set(err, -EINVAL, "a ring is to be enabled by %u", m->state.num);
	if (m->state.index <= 2 * d->pairs && d->setup[m->state.index].enabled == (m->state.num != 0))
		return DONE;
	v = ring(d, m->state.index, err);
	if (!v)
		return -EINVAL;
	v->enabled = m->state.num;
	return DONE;
}

static int set_vring_endian(struct device *d, struct message *m, struct message_fds *fds, struct err *err)
{
	struct ring_setup *v = ring(d, m->state.index, err);

	(void)fds;
	if (!v)
		return -EINVAL;
	if (m->state.num > 1)
		return err_set(err, -EINVAL, "there is no byte order %u", m->state.num);
	v->big_endian = m->state.num;
	return v->big_endian ? REFUSED : DONE;
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

#define U64 8, 8
#define STATE 8, 8
#define ADDR 40, 40
#define SLOT 40, 40
#define EMPTY 0, 0
#define NO_FDS 0, 0

enum { OWNED = 1, REPLIES = 2 };

static const struct {
	const char *name;
	uint16_t size_min, size_max; /* of the payload */
	uint8_t fds_min, fds_max;
	uint8_t needs; /* P_...: the protocol feature that has to be negotiated */
	uint8_t flags; /* OWNED: after SET_OWNER only. REPLIES: it is answered in any case */
	handler handle;
} table[] = {
	[1] = {"GET_FEATURES", EMPTY, NO_FDS, P_NONE, REPLIES, get_features},
	[2] = {"SET_FEATURES", U64, NO_FDS, P_NONE, OWNED, set_features},
	[3] = {"SET_OWNER", EMPTY, NO_FDS, P_NONE, 0, set_owner},
	[4] = {"RESET_OWNER", EMPTY, NO_FDS, P_NONE, 0, reset},
	[5] = {"SET_MEM_TABLE", 8, 8 + 32 * MESSAGE_TABLE, 0, MESSAGE_FDS, P_NONE, OWNED, set_mem_table},
	[6] = {"SET_LOG_BASE", 16, 16, 1, 1, P_LOG_SHMFD, OWNED | REPLIES, set_log_base},
	[7] = {"SET_LOG_FD", EMPTY, 0, 1, P_LOG_SHMFD, OWNED, set_log_fd},
	[8] = {"SET_VRING_NUM", STATE, NO_FDS, P_NONE, OWNED, set_vring_num},
	[9] = {"SET_VRING_ADDR", ADDR, NO_FDS, P_NONE, OWNED, set_vring_addr},
	[10] = {"SET_VRING_BASE", STATE, NO_FDS, P_NONE, OWNED, set_vring_base},
	[11] = {"GET_VRING_BASE", STATE, NO_FDS, P_NONE, OWNED | REPLIES, get_vring_base},
	[12] = {"SET_VRING_KICK", U64, 0, 1, P_NONE, OWNED, set_vring_kick},
	[13] = {"SET_VRING_CALL", U64, 0, 1, P_NONE, OWNED, set_vring_call},
	[14] = {"SET_VRING_ERR", U64, 0, 1, P_NONE, OWNED, set_vring_err},
	[15] = {"GET_PROTOCOL_FEATURES", EMPTY, NO_FDS, P_NONE, REPLIES, get_protocol_features},
	[16] = {"SET_PROTOCOL_FEATURES", U64, NO_FDS, P_NONE, 0, set_protocol_features},
	[17] = {"GET_QUEUE_NUM", EMPTY, NO_FDS, P_MQ, REPLIES, get_queue_num},
	[18] = {"SET_VRING_ENABLE", STATE, NO_FDS, P_NONE, OWNED, set_vring_enable},
	[19] = {"SEND_RARP", U64, NO_FDS, P_RARP, OWNED, send_rarp},
	[20] = {"NET_SET_MTU", U64, NO_FDS, P_MTU, OWNED, set_mtu},
	[21] = {"SET_BACKEND_REQ_FD", EMPTY, 1, 1, P_BACKEND_REQ, 0, set_backend_req_fd},
	[23] = {"SET_VRING_ENDIAN", STATE, NO_FDS, P_CROSS_ENDIAN, OWNED, set_vring_endian},
	[24] = {"GET_CONFIG", 12, 12 + MESSAGE_CONFIG, NO_FDS, P_CONFIG, REPLIES, get_config},
	[25] = {"SET_CONFIG", 12, 12 + MESSAGE_CONFIG, NO_FDS, P_CONFIG, 0, set_config},
	[34] = {"RESET_DEVICE", EMPTY, NO_FDS, P_RESET_DEVICE, OWNED, reset},
	[36] = {"GET_MAX_MEM_SLOTS", EMPTY, NO_FDS, P_CONFIGURE_MEM_SLOTS, REPLIES, get_max_mem_slots},
	[37] = {"ADD_MEM_REG", SLOT, 1, 1, P_CONFIGURE_MEM_SLOTS, OWNED, add_mem_reg},
	[38] = {"REM_MEM_REG", SLOT, 0, 1, P_CONFIGURE_MEM_SLOTS, OWNED, rem_mem_reg},
	[39] = {"SET_STATUS", U64, NO_FDS, P_STATUS, 0, set_status},
	[40] = {"GET_STATUS", EMPTY, NO_FDS, P_STATUS, REPLIES, get_status},
};

static bool known(uint32_t request)
{
	return request < sizeof(table) / sizeof(table[0]) && table[request].handle;
}

const char *message_name(uint32_t request)
{
	static char number[24];

	if (known(request))
		return table[request].name;
	snprintf(number, sizeof(number), "message %u", request);
	return number;
}

bool message_header_ok(const struct message *m, struct err *err)
{
	const uint32_t r = m->request;

	if ((m->flags & FLAG_VERSION_MASK) != FLAG_VERSION || m->flags & ~(FLAG_VERSION_MASK | FLAG_NEED_REPLY))
		err_set(err, -EPROTO,
			"it does not speak vhost-user as a front end does (message %u, flags 0x%x): is another "
			"program's "
			"socket meant?",
			r, m->flags);
	else if (!known(r))
		err_set(err, -EOPNOTSUPP, "message %u is not served", r);
	else if (m->size < table[r].size_min || m->size > table[r].size_max)
		err_set(err, -EPROTO, "%s of %u bytes", table[r].name, m->size);
	else
		return true;
	return false;
}

/* NULL, or what forbids the message now. */
static const char *forbidden(const struct device *d, const struct message *m, const struct message_fds *fds)
{
	const uint32_t r = m->request;

	if (fds->n < table[r].fds_min || fds->n > table[r].fds_max)
		return "it came with another number of descriptors";
	if (table[r].needs != P_NONE && !(d->protocol & 1ULL << table[r].needs))
		return "its protocol feature was not negotiated";
	if (table[r].flags & OWNED && !d->owned)
		return "it came before SET_OWNER";
	return NULL;
}

int message_handle(struct device *d, struct message *m, struct message_fds *fds, bool *reply, struct err *err)
{
	const uint32_t request = m->request;
	const bool asked = m->flags & FLAG_NEED_REPLY;
	const char *why = forbidden(d, m, fds);
	struct err reason = {0};
	int r;

	if (why)
		r = err_set(&reason, -EPROTO, "%s", why);
	else
		r = table[request].handle(d, m, fds, &reason);
	for (unsigned i = 0; i < fds->n; i++)
		if (fds->fd[i] >= 0)
			close(fds->fd[i]);
	fds->n = 0;
	if (r >= 0)
		device_settle(d);
	m->flags = FLAG_VERSION | FLAG_REPLY;
	/* SET_PROTOCOL_FEATURES may ask by what it negotiates itself: User-Mode Linux does */
	*reply = r == REPLY || (asked && d->protocol & 1ULL << P_REPLY_ACK && !(table[request].flags & REPLIES));
	if (*reply && r != REPLY)
		reply_u64(m, r != DONE);
	if (r < 0)
		return err_set(err, r, "%s: %s", message_name(request), reason.text);
	return *reply;
}
