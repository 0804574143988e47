/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Which segments their receiver takes: RFC 9293, Section 3.10.7; RFC 7323. */
#pragma once

#include <bpf/bpf_core_read.h>

#include "frame.h"
#include "maps.h"

/* What is read of the kernel's own structure: whether the sum is unfinished. */
struct sk_buff {
	__u8 ip_summed : 2;
} __attribute__((preserve_access_index));

#define CHECKSUM_PARTIAL 3

extern void *bpf_cast_to_kern_ctx(void *) __ksym;

/* Longest frame whose sum is made here; longer ones that need it are bad. */
#define SUM_PIECES 40
#define SUM_PIECE SCRATCH

static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/*
 * Reports whether the sums of a TCP frame are wrong. Whoever has checked the sum
 * already is believed, and so is a sum that is left to the device.
 */
__noinline int damaged(struct __sk_buff *skb, struct frame *f)
{
	struct sk_buff *kernel;
	__u32 key = 0, at, left, n, tail[2];
	__s64 sum;
	__u8 *piece = bpf_map_lookup_elem(&scratch, &key);
	struct ipv4 v4;

	if (!f || !piece)
		return 1;
	if (!f->v6) {
		if (bpf_skb_load_bytes(skb, ETH_HEADER, &v4, sizeof(v4)) ||
		    fold(bpf_csum_diff(0, 0, (void *)&v4, sizeof(v4), 0)))
			return 1;
	}
	if (skb->gso_size || bpf_csum_level(skb, BPF_CSUM_LEVEL_QUERY) >= 0)
		return 0;
	kernel = bpf_cast_to_kern_ctx(skb);
	if (BPF_CORE_READ_BITFIELD(kernel, ip_summed) == CHECKSUM_PARTIAL)
		return 0;
	at = f->tcp;
	left = f->option_len + TCP_HEADER + f->payload;
	tail[0] = bpf_htonl(left);
	tail[1] = bpf_htonl(PROTO_TCP);
	if (f->v6) {
		sum = bpf_csum_diff(0, 0, f->tuple.client, 32, 0);
	} else {
		sum = bpf_csum_diff(0, 0, &f->tuple.client[3], 4, 0);
		sum = bpf_csum_diff(0, 0, &f->tuple.origin[3], 4, sum);
	}
	sum = bpf_csum_diff(0, 0, tail, sizeof(tail), sum);
	for (int i = 0; i < SUM_PIECES && left; i++) {
		if (left >= SUM_PIECE) {
			if (bpf_skb_load_bytes(skb, at, piece, SUM_PIECE))
				return 1;
			sum = bpf_csum_diff(0, 0, (void *)piece, SUM_PIECE, sum);
			at += SUM_PIECE;
			left -= SUM_PIECE;
			continue;
		}
		n = left;
		asm volatile("" : "+r"(n));
		n &= SUM_PIECE - 1;
		if (n == 0)
			return 1; /* never: left is between */
		__builtin_memset(piece, 0, SUM_PIECE);
		if (bpf_skb_load_bytes(skb, at, piece, n))
			return 1;
		sum = bpf_csum_diff(0, 0, (void *)piece, SUM_PIECE, sum);
		left = 0;
	}
	return left || fold(sum);
}

/* Kinds of TCP options. */
#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_SCALE 3
#define OPTION_TIMESTAMP 8
#define OPTION_MD5 19
#define OPTION_AO 29
#define OPTION_MULTIPATH 30

/* Options as they are read, one after the other. */
struct cursor {
	__u32 at, end;
	__u32 tsval;
	__u8 stamped, odd, multipath, scale;
};

/* Reads one option; not 0: there are no more. */
static long read_option(__u32 i, void *context)
{
	struct cursor *c = context;
	__u32 key = 0, at = c->at;
	__u8 *b = bpf_map_lookup_elem(&scratch, &key);
	__u8 kind, length;

	if (!b || at >= c->end || at > TCP_OPTIONS)
		return 1;
	kind = b[at];
	if (kind == OPTION_END)
		return 1;
	if (kind == OPTION_NOP) {
		c->at = at + 1;
		return 0;
	}
	length = b[at + 1];
	if (length < 2 || at + length > c->end) {
		c->odd = 1; /* Linux stops reading here, others do not */
		return 1;
	}
	c->at = at + length;
	if (kind == OPTION_TIMESTAMP && length == 10) {
		c->stamped = 1;
		c->tsval = (__u32)b[at + 2] << 24 | (__u32)b[at + 3] << 16 | (__u32)b[at + 4] << 8 | b[at + 5];
	} else if (kind == OPTION_SCALE && length == 3) {
		c->scale = b[at + 2];
	} else if (kind == OPTION_MD5 || kind == OPTION_AO) {
		c->odd = 1;
	} else if (kind == OPTION_MULTIPATH) {
		/* Offset within the header, unless it cannot be blanked. */
		c->multipath = length == 4 && !(at & 1) ? TCP_HEADER + at : 0xff;
	}
	return 0;
}

/* Notes what the options of a frame say. */
__noinline int read_options(struct __sk_buff *skb, struct frame *f)
{
	struct cursor c = { .scale = 0xff };
	__u32 key = 0, n;
	__u8 *b = bpf_map_lookup_elem(&scratch, &key);

	if (!f || !b)
		return 0;
	n = f->option_len;
	asm volatile("" : "+r"(n));
	if (n != 0 && n <= TCP_OPTIONS && !bpf_skb_load_bytes(skb, f->tcp + TCP_HEADER, b, n)) {
		c.end = n;
		bpf_loop(TCP_OPTIONS, read_option, &c, 0);
	}
	f->stamped = c.stamped;
	f->tsval = c.tsval;
	f->odd = c.odd;
	f->multipath = c.multipath;
	f->scale = c.scale;
	return 0;
}

/* Octets from seq that the receiver of a side's frames has room for. */
static __always_inline __u32 window_of(struct side *from, struct side *to)
{
	__u32 scale = to->scaled && to->scale <= 14 && from->scale != 0xff ? to->scale : 0;

	return to->window << scale ?: 1;
}

enum verdict {
	TAKES,	/* every receiver takes it */
	NEAR,	/* a reset in the window: a receiver asks its sender again (RFC 5961) */
	STRAY,	/* dropped by receivers, or by some of them */
};

/*
 * What the receiver makes of a frame without SYN of a flow whose SYN-ACK was
 * seen. expected is what it waits for, as its last acknowledgement says.
 */
static __always_inline enum verdict judge(struct frame *f, struct flow *flow, __u32 direction)
{
	struct side *from = &flow->sides[direction & 1], *to = &flow->sides[!direction];
	__u32 expected = to->acked, window = window_of(from, to);
	__u32 end = f->seq + f->payload + !!(f->flags & FIN);
	bool stamped = from->stamped && to->stamped;

	if (f->flags & RST) {
		if (f->seq == expected || f->seq == from->next)
			return TAKES;
		return f->seq - expected < window && !f->payload ? NEAR : STRAY;
	}
	if (f->flags & SYN || !(f->flags & ACK) || f->odd)
		return STRAY;
	/* Its receiver may take an octet out of what is judged: RFC 6093. */
	if (f->flags & URG && !f->payload)
		return STRAY;
	if ((__s32)(f->ack - to->next) > 0) /* of what was never said */
		return STRAY;
	if (stamped && f->stamped && (__s32)(f->tsval - from->tsval) < 0)
		return STRAY; /* RFC 7323, Section 5.3 */
	if (!f->payload && !(f->flags & FIN))
		return TAKES;
	if (stamped && !f->stamped)
		return STRAY; /* RFC 7323, Section 3.2; Linux takes it */
	if ((__s32)(f->ack - to->isn) <= 0)
		return STRAY; /* of the past, before the connection */
	if ((__s32)(end - expected) <= 0)
		return NEAR; /* all of it is old: sent again */
	if ((__s32)(f->seq - expected) >= (__s32)window)
		return STRAY;
	return TAKES;
}
