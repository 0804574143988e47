/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Notes in a flow what its frames look like. */
#pragma once

#include "frame.h"

/* Notes the options of a SYN or SYN-ACK. */
static __always_inline void note_options(struct __sk_buff *skb, struct frame *f, struct side *s)
{
	__u32 n = f->option_len;

	s->option_len = 0;
	asm volatile("" : "+r"(n));
	if (n == 0 || n > TCP_OPTIONS)
		return;
	if (!bpf_skb_load_bytes(skb, f->tcp + TCP_HEADER, s->options, n))
		s->option_len = n;
}

/* Timestamp of an established connection's frame in the usual layout. */
static __always_inline __u32 timestamp(struct __sk_buff *skb, struct frame *f)
{
	__u32 option[2]; /* NOP, NOP, kind 8, length 10; value */

	if (f->option_len < 12 ||
	    bpf_skb_load_bytes(skb, f->tcp + TCP_HEADER, option, sizeof(option)) ||
	    option[0] != bpf_htonl(0x0101080a))
		return 0;
	return bpf_ntohl(option[1]);
}

/* Learns how frames look that go in a direction. */
static __always_inline void learn(struct frame *f, struct side *s)
{
	__builtin_memcpy(s->mac, f->mac, sizeof(s->mac));
	s->ttl = f->ttl;
	s->known = 1;
}

/* Notes how far the direction of a passing connection has come. */
static __always_inline void track(struct __sk_buff *skb, struct frame *f, struct side *s)
{
	__u32 end = f->seq + f->payload + !!(f->flags & FIN);
	__u32 tsval;

	if ((__s32)(end - s->next) > 0)
		s->next = end;
	if (f->flags & ACK) {
		if ((__s32)(f->ack - s->acked) >= 0) {
			s->acked = f->ack;
			s->window = f->window;
			s->scaled = 1;
		}
	}
	tsval = timestamp(skb, f);
	if (tsval && (__s32)(tsval - s->tsval) > 0)
		s->tsval = tsval;
	learn(f, s);
}
