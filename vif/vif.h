/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Port drivers: how frames are taken from, and put into, whatever is on the far side of a port.
 *
 * Model. A frame is *segments in the sender's memory*. peek() describes up to a burst of frames: for each the first
 * bytes, copied into private memory (the head: all decisions are made on it, and the receiver gets this copy, since a
 * guest may rewrite its memory at any time), the offload metadata, and where the rest lies. deliver() copies head and
 * rest, once, straight into buffers that the receiver has posted. release() gives the sender its buffers back, in
 * order. notify(), once per pass of the worker and after a full memory barrier, tells the far side if it wants to be told.
 *
 * Threads. A receive queue (peek, release) belongs to one worker at a time. deliver() may be called by
 * several workers for one port: the driver takes its own lock if `shared` is set. Everything else is the control
 * thread's. A worker that is inside a pass (vswitch/datapath/worker.c) may use a port that is being
 * taken away; the control thread waits for the pass to end before it frees anything.
 *
 * Ownership. Segments belong to the sender, and are valid from peek() to release() of the same burst.
 *
 * Errors. No call on the packet path fails: what cannot be done is dropped and counted, by reason, in the port's
 * struct vif_counters. A far side that breaks its protocol gets the port quarantined (vif_quarantine) with a reason.
 */
#ifndef XBAR_VIF_H
#define XBAR_VIF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VIF_NAME_MAX 64 /* with the NUL; a host port's name is also bounded by IFNAMSIZ */
#define VIF_BURST 64 /* frames in a burst */
#define VIF_HEAD_LEN 128 /* bytes of a frame that are copied before it is decided */
#define VIF_SEGS 512 /* segments in a burst; more frames wait for the next one */
#define VIF_FRAME_MAX 65549 /* 64 KiB - 1 of IP packet and an Ethernet header */
#define VIF_WORKERS_MAX 16
#define VIF_QUEUES_MAX 16 /* queue pairs of a port */

/* What a receiver can take, and what a frame needs of it. */
enum vif_cap {
	VIF_CAP_CSUM = 1 << 0, /* partial checksums */
	VIF_CAP_TSO4 = 1 << 1,
	VIF_CAP_TSO6 = 1 << 2,
	VIF_CAP_ECN = 1 << 3, /* TSO frames with CWR set */
	VIF_CAP_USO4 = 1 << 4,
	VIF_CAP_USO6 = 1 << 5,
};

/* Offload metadata of a frame, in no receiver's own form. All zeroes: a plain frame. */
struct vif_offload {
	uint16_t needs; /* VIF_CAP_*: what a receiver must know to take it as it is */
	bool csum_valid; /* checksums were verified by the sender's side: no need to look again */
	uint16_t csum_start; /* with VIF_CAP_CSUM: sum from here to the end ... */
	uint16_t csum_offset; /* ... and store it this far behind csum_start */
	uint16_t gso_size; /* with a TSO or USO cap: payload bytes per segment, never 0 then */
	uint16_t hdr_len; /* with a TSO or USO cap: bytes of headers as the sender claims (a hint) */
};

/* Memory of a Xen guest that it has granted: `len` bytes of a segment from here on. */
struct vif_grant {
	uint32_t gref;
	uint16_t offset;
	uint16_t domid;
};

struct vif_seg {
	const uint8_t *va; /* NULL: it is not mapped, and has to be copied by the hypervisor (grant.h) */
	uint32_t len;
	bool granted; /* the frame's grant[] at the same index says where it lies for the hypervisor */
};

struct vif_frame {
	uint8_t *head; /* VIF_HEAD_LEN bytes, private, 64-byte aligned */
	const struct vif_seg *seg; /* what follows the head; unused if nseg is 0 */
	const struct vif_grant *grant; /* for those of seg[] that are granted, at the same index; else unused */
	uintptr_t cookie; /* the driver's own: what to release */
	uint32_t len; /* from the Ethernet header to the end; 0: dropped and counted by peek(), only to be released */
	uint16_t head_len; /* bytes valid at snap: min(len, VIF_HEAD_LEN) */
	uint16_t nseg;
	struct vif_offload off;
	bool failed; /* some bytes that the sender granted could not be read. Set by deliver(), read by release() */
};

/* Lengths of a frame without offload metadata: two stores. */
static inline void vif_frame_plain(struct vif_frame *frame, uint32_t len, uint16_t head_len, uint16_t nseg)
{
	const uint64_t lengths = len | (uint64_t)head_len << 32 | (uint64_t)nseg << 48;

	memcpy(&frame->len, &lengths, sizeof(lengths));
	memset(&frame->off, 0, sizeof(*frame) - offsetof(struct vif_frame, off));
}

/* Whether the frame has to be copied by the hypervisor. All of its segments are mapped, or none is. */
static inline bool vif_unmapped(const struct vif_frame *frame)
{
	return frame->nseg && !frame->seg[0].va;
}

struct vif_burst {
	unsigned n;
	unsigned nseg;
	struct vif_frame frame[VIF_BURST];
	struct vif_seg seg[VIF_SEGS];
	struct vif_grant grant[VIF_SEGS]; /* used by drivers whose frames lie in grants */
	uint8_t head[VIF_BURST][VIF_HEAD_LEN] __attribute__((aligned(64)));
};

/* Why a driver did not take or deliver a frame. RX is from the far side into the switch, TX the other way. */
enum vif_drop {
	VIF_RX_MALFORMED, /* descriptor or header that cannot be: too short, too long, bad offload fields */
	VIF_RX_TOO_MANY_SEGS,
	VIF_RX_BAD_GRANT, /* the hypervisor would not read what the sender granted */
	VIF_TX_NO_BUFFER, /* the receiver had too few buffers for longer than its frames may wait */
	VIF_TX_TOO_BIG, /* longer than the receiver's MTU allows, or than any buffer chain it can post */
	VIF_TX_NO_OFFLOAD, /* needs an offload that the receiver lacks and software cannot stand in for */
	VIF_TX_DOWN, /* the receiver is not connected, or is quarantined */
	VIF_TX_ERROR, /* the far side (kernel, NIC) refused it */
	VIF_TX_BAD_GRANT, /* the hypervisor would not write to what the receiver granted */
	VIF_TX_FILTERED, /* a multicast group that the receiver has not asked for */
	VIF_DROP_MAX
};

const char *vif_drop_name(enum vif_drop reason);

/* One worker's counters of one port: written by that worker alone, read by anyone. */
struct vif_counters {
	uint64_t rx_frames, rx_bytes, tx_frames, tx_bytes; /* bytes: Ethernet header to end, no FCS */
	uint64_t rx_gso, tx_gso; /* frames longer than a segment, passed as they are */
	uint64_t rx_max, tx_max; /* longest frame seen */
	uint64_t sw_segments, sw_csums; /* segments made, checksums completed in software for this receiver */
	uint64_t kicks; /* times the far side was notified */
	uint64_t grant_copies; /* made by the hypervisor: of headers it sent, and of what it was sent */
	uint64_t ring_steps; /* descriptors of chains that were walked, empty ones too */
	uint64_t pass_steps; /* ring_steps when pass `pass` began: for the budget of ring.h */
	uint32_t pass;
	uint64_t drop[VIF_DROP_MAX];
	uint64_t br_drop[8]; /* by enum br_drop, counted by the worker on ingress */
} __attribute__((aligned(64)));

struct vif_queue_count {
	uint64_t rx_frames, tx_frames;
};

struct err;
struct vif_port;

/* What is on the far side of a port. */
enum vif_role {
	VIF_ROLE_GUEST,
	VIF_ROLE_HOST, /* the host itself: the port has a netdev of its own */
	VIF_ROLE_UPLINK, /* a network: many senders, few of them known */
	VIF_ROLE_MAX
};

/* A port as its driver describes it to a person. */
struct vif_about {
	char detail[768]; /* one line: "listens on /run/xbar/vhost/vif1.0.sock", and what is wrong, if anything is */
	char features[256]; /* negotiated offloads, in words, with spaces between; "": none */
	bool connected; /* frames can pass */
	unsigned queues; /* queue pairs in use */
};

/*
 * A kind of port. Members that say "control thread" are never called by workers; those that may be NULL say what NULL means.
 */
struct vif_ops {
	const char *kind; /* for people and files: "vhost-user", "netif", "host", "uplink", "memory" */
	enum vif_role role;
	/* Describe up to VIF_BURST frames waiting on `queue`. */
	unsigned (*peek)(struct vif_port *port, unsigned queue, struct vif_burst *burst);
	/* Give all frames of the burst that peek() described back to the sender. */
	void (*release)(struct vif_port *port, unsigned queue, const struct vif_burst *burst);
	/*
	 * Put `n` frames, at most VIF_BURST, none of which needs more than port->caps, into the receiver's queue
	 * `queue`. Returns how many were taken, delivered or dropped and counted; fewer than n only if buffers ran
	 * out. The rest is for the caller to try again or to drop. What was delivered is visible to the receiver on
	 * return.
	 */
	unsigned (*deliver)(struct vif_port *port, unsigned queue, struct vif_frame *const *frames, unsigned n);
	/*
	 * Can the receiver take the offload metadata as it is? Asked of frames that need no more than port->caps; what it
	 * refuses is done in software. NULL: always.
	 */
	bool (*takes)(const struct vif_port *port, const struct vif_frame *frame);
	/*
	 * After a full barrier, tell the far side if it wants to be told: of buffers released on `rx_queue`, or, if
	 * that is -1, of frames delivered. NULL: nothing to tell.
	 */
	void (*notify)(struct vif_port *port, int rx_queue);
	/*
	 * Before the worker sleeps: ask the far side for a wake-up on `queue`. true: something is there already, do not
	 * sleep. NULL: the descriptor in the worker's epoll set needs no arming.
	 */
	bool (*arm)(struct vif_port *port, unsigned queue);
	void (*disarm)(struct vif_port *port, unsigned queue);
	/* Control thread: frames that `queue` has moved since the far side connected. NULL: no such count is kept. */
	struct vif_queue_count (*count)(const struct vif_port *port, unsigned queue);
	/*
	 * Control thread: called when a quarantine ends. Notifications from the far side were lost meanwhile, and ours to
	 * it were not sent; the workers look at the queues by themselves. NULL: nothing to do.
	 */
	void (*resume)(struct vif_port *port);
	/*
	 * Control thread: fill in *about, which holds empty texts, `connected` as port->up has it, and the queues that the
	 * port was made with. NULL: there is nothing to add.
	 */
	void (*describe)(const struct vif_port *port, struct vif_about *about);
	/* Control thread: 0 or -errno. NULL: only port->mtu changes. */
	int (*set_mtu)(struct vif_port *port, uint32_t mtu);
	/* Control thread: change the MAC address of the port's own netdev. 0 or -errno. NULL: it has no netdev. */
	int (*set_mac)(struct vif_port *port, const uint8_t mac[6]);
	/* Control thread: give the port's own netdev carrier, or take it away. 0 or -errno. NULL: it has no netdev. */
	int (*set_carrier)(struct vif_port *port, bool carrier);
	/*
	 * Control thread, about once a second while port->up: is what the port stands on still there? 0; or, once, the
	 * driver clears port->up and fills *err: -ESHUTDOWN if it ended as it was to be expected, else -ENODEV. NULL: it
	 * cannot vanish.
	 */
	int (*check)(struct vif_port *port, struct err *err);
	/* Control thread: the far side cannot wake a worker, which must look once a millisecond. NULL: it can. */
	bool (*needs_poll)(const struct vif_port *port);
	/* Control thread: what would outlive a crash of the daemon is to end with close(). NULL: there is no such thing. */
	void (*unpersist)(struct vif_port *port);
	/* Control thread: no published dp_conf holds the port any longer; close and free all of it. */
	void (*close)(struct vif_port *port);
};

/* What every driver's port begins with. */
struct vif_port {
	/* Set before the port is published, and constant after that: anybody may read these. */
	const struct vif_ops *ops;
	char name[VIF_NAME_MAX];
	uint16_t id; /* the port's number in bridge/ */
	bool shared; /* more than one worker runs: deliver() must lock */
	bool shared_uplink; /* many send through it: no one receiver may hold it up for long */
	int epfd[VIF_WORKERS_MAX]; /* epoll set of the worker that peeks queue q, at [q]; -1 */
	struct vif_counters *counters; /* [VIF_WORKERS_MAX] */

	/*
	 * The far side as it is now. Written by the driver's control side (one thread at a time) while workers run, which
	 * read each of them on its own and relaxed. No two belong together: what the driver publishes for its own packet
	 * path (its session, its rings) is what makes an access safe.
	 */
	_Atomic uint16_t rx_queues; /* that the far side sends on */
	_Atomic uint16_t tx_queues; /* that the far side receives on; 0: none can be delivered to */
	_Atomic uint16_t caps; /* VIF_CAP_* that the receiver takes */
	_Atomic uint32_t mtu; /* longest IP packet that may be delivered; 0: any */
	_Atomic bool up; /* frames can be delivered */

	/* Accessed with __atomic builtins. */
	const char
		*quarantine; /* NULL, or why the port is quarantined: a sentence. Set by any thread: vif_quarantine() */
	uint32_t gen; /* changed by vif_memory_gone(); a burst described under another value must not be touched */
};

/* Relaxed: for workers. */
static inline bool vif_is_up(const struct vif_port *port)
{
	return atomic_load_explicit(&port->up, memory_order_relaxed);
}

/*
 * The memory of bursts that were described until now goes away. Control side: call it when no worker can describe more
 * of them, then vif_synchronize(), then unmap.
 */
static inline void vif_memory_gone(struct vif_port *port)
{
	__atomic_fetch_add(&port->gen, 1, __ATOMIC_RELEASE);
}

/* Which worker the calling thread is: index of its counters. Set once by vswitch/datapath/worker.c. */
extern __thread unsigned vif_worker_id;

/* Number of the calling worker's pass, for budgets per pass. Written by vswitch/datapath/forward.c. */
extern __thread uint32_t vif_pass;

static inline struct vif_counters *vif_count(struct vif_port *port)
{
	return &port->counters[vif_worker_id];
}

/*
 * Wait until every worker has finished the pass that it was in: none of them uses what was unpublished before. Set
 * once by vswitch/datapath/worker.c, before the first port is made. Any thread but a worker.
 */
extern void (*vif_synchronize)(void);

/* Quarantine the port for `why` (a string constant). Any thread. The control thread sees it and logs. */
void vif_quarantine(struct vif_port *port, const char *why);

#endif
