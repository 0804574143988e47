/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Notes in a flow what its frames look like. */
#pragma once

#include "accept.h"
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

/* Learns how frames look that go in a direction. */
static __always_inline void learn(struct frame *f, struct side *s)
{
	__builtin_memcpy(s->mac, f->mac, sizeof(s->mac));
	s->ttl = f->ttl;
	s->known = 1;
}

/*
 * Notes how far the direction of a connection has come. Timestamps count of frames
 * in order only, as for their receiver, which waits for expected.
 */
static __always_inline void track(struct frame *f, struct side *s, __u32 expected)
{
	__u32 end = f->seq + f->payload + !!(f->flags & FIN);

	if ((__s32)(end - s->next) > 0)
		s->next = end;
	if (f->flags & FIN)
		s->ended = 1;
	if (f->flags & ACK) {
		if ((__s32)(f->ack - s->acked) >= 0) {
			s->acked = f->ack;
			s->window = f->window;
			s->scaled = 1;
		}
	}
	if (f->stamped && (__s32)(f->seq - expected) <= 0 && (__s32)(f->tsval - s->tsval) > 0)
		s->tsval = f->tsval;
	learn(f, s);
}

/* Begins a side with its SYN or SYN-ACK. */
static __always_inline void begin(struct __sk_buff *skb, struct frame *f, struct side *s)
{
	learn(f, s);
	s->isn = f->seq;
	s->next = f->seq + 1;
	s->acked = f->flags & ACK ? f->ack : 0;
	s->window = s->first_window = f->window;
	s->scaled = 0;
	s->scale = f->scale;
	s->stamped = f->stamped;
	s->tsval = f->tsval;
	s->ended = 0;
	s->time = bpf_ktime_get_ns();
	note_options(skb, f, s);
}
