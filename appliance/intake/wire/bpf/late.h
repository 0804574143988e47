/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Flows that are taken over after their handshake, until they are. */
#pragma once

#include "action.h"
#include "learn.h"
#include "state.h"

#define GREETING_OCTETS 4096 /* of what the origin says first; longer ones are cut */

/* Octets that are copied at most: small frames, MTU-sized ones, and super-frames. */
#define COPY(name, size)                                                                          \
	struct name {                                                                             \
		struct event event;                                                               \
		__u8 data[size];                                                                  \
	};                                                                                        \
	static __noinline int copy_##name(struct __sk_buff *skb, struct event *head)               \
	{                                                                                         \
		struct name *r;                                                                   \
		__u32 n = skb->len;                                                               \
                                                                                                  \
		if (!head)                                                                        \
			return 0;                                                                 \
		asm volatile("" : "+r"(n));                                                       \
		if (n == 0 || n > size)                                                           \
			return 0;                                                                 \
		r = bpf_ringbuf_reserve(&events, sizeof(*r), 0);                                  \
		if (!r)                                                                           \
			return 0;                                                                 \
		r->event = *head;                                                                 \
		if (bpf_skb_load_bytes(skb, 0, r->data, n)) {                                     \
			bpf_ringbuf_discard(r, 0);                                                \
			return 0;                                                                 \
		}                                                                                 \
		bpf_ringbuf_submit(r, 0);                                                         \
		return 1;                                                                         \
	}

COPY(small, 2048)
COPY(medium, 9216)
COPY(large, 66560)

/* Copies a frame to user space; false if there is no room. */
static __always_inline bool show(struct __sk_buff *skb, struct tuple *t, struct flow *flow,
				 __u32 direction, __u8 passed)
{
	struct event head = {
		.time = bpf_ktime_get_ns(),
		.isn = flow->sides[TO_ORIGIN].isn,
		.length = skb->len,
		.segment = skb->gso_size,
		.tci = flow->tci,
		.tagged = flow->tagged,
		.leg = skb->ifindex == legs[0] ? 0 : 1,
		.direction = direction,
		.passed = passed,
	};

	__builtin_memcpy(&head.tuple, t, sizeof(*t));
	if (skb->len <= 2048)
		return copy_small(skb, &head);
	if (skb->len <= 9216)
		return copy_medium(skb, &head);
	return copy_large(skb, &head);
}

/* Lets go of a flow that nobody takes. In a blocked wire it stays where it is. */
static __always_inline int give_up(struct __sk_buff *skb, struct tuple *t, __u32 path)
{
	if (!block)
		bpf_map_delete_elem(&flows, t);
	return without(skb, path);
}

/* Payload of a late flow that has to wait. */
static __always_inline int on_payload(struct __sk_buff *skb, struct frame *f, struct tuple *t,
				      struct flow *flow, __u32 direction)
{
	__u64 now = bpf_ktime_get_ns();

	if (flow->state == STATE_OPEN) {
		if (!alive(f->v6))
			return give_up(skb, t, PATH_DOWN);
		flow->held = now;
		flow->held_octets = 0;
		/* One of two frames at once is first, the other finds it held. */
		__sync_val_compare_and_swap(&flow->state, STATE_OPEN, STATE_HELD);
	} else if ((__s64)(now - flow->held) > (__s64)hold_limit) { /* held may be of a later look */
		return give_up(skb, t, PATH_EXPIRED);
	} else if (!alive(f->v6)) {
		return give_up(skb, t, PATH_DOWN);
	}
	if (flow->held_octets > hold_octets)
		return drop(PATH_HELD_EXCESS); /* bound of copies; TCP sends it again */
	flow->held_octets += skb->len;
	if (show(skb, t, flow, direction, 0))
		return drop(PATH_HELD); /* user space has it */
	if (flow->held_octets > skb->len)
		return drop(PATH_HELD_EXCESS); /* ring full amid a flow; TCP sends it again */
	return give_up(skb, t, PATH_OVERRUN);
}

/*
 * What the origin says before the client does, such as a greeting, passes; who
 * takes the flow wants to know it. Without room in the ring nobody does.
 */
static __always_inline int on_greeting(struct __sk_buff *skb, struct frame *f, struct tuple *t,
				       struct flow *flow)
{
	struct side *s = &flow->sides[TO_CLIENT];

	if (f->payload && f->seq - s->isn - 1 < GREETING_OCTETS && skb->len <= 2048)
		show(skb, t, flow, TO_CLIENT, 1);
	track(skb, f, s);
	return forward(skb, PATH_HANDSHAKE);
}

/* Reports whether a frame of the origin is the SYN-ACK to the flow's SYN. */
static __always_inline bool answers(struct frame *f, struct flow *flow)
{
	return (f->flags & (SYN | ACK)) == (SYN | ACK) && f->ack == flow->sides[TO_ORIGIN].isn + 1;
}

/* Notes what the SYN-ACK says. */
static __always_inline void open_flow(struct __sk_buff *skb, struct frame *f, struct flow *flow)
{
	struct side *s = &flow->sides[TO_CLIENT];

	learn(f, s);
	s->isn = f->seq;
	s->next = f->seq + 1;
	s->acked = f->ack;
	s->window = s->first_window = f->window;
	s->time = bpf_ktime_get_ns();
	note_options(skb, f, s);
	flow->sides[TO_ORIGIN].acked = s->next;
}

/* A frame, not a SYN, of a flow in late mode that is not taken yet. */
static __always_inline int on_late(struct __sk_buff *skb, struct frame *f, struct tuple *t,
				   struct flow *flow, __u32 direction)
{
	struct side *s = &flow->sides[direction];

	if (f->flags & RST) {
		bpf_map_delete_elem(&flows, t);
		return forward(skb, PATH_HANDSHAKE);
	}
	switch (flow->state) {
	case STATE_OPENING:
		if (direction == TO_CLIENT && answers(f, flow)) {
			open_flow(skb, f, flow);
			flow->state = STATE_OPEN;
		}
		return forward(skb, PATH_HANDSHAKE);
	case STATE_OPEN:
		if (f->flags & SYN) {
			/* An origin that began anew, such as one with SYN cookies. */
			if (direction == TO_CLIENT && answers(f, flow) &&
			    !flow->sides[TO_ORIGIN].scaled)
				open_flow(skb, f, flow);
			return forward(skb, PATH_HANDSHAKE);
		}
		/* A FIN ahead of its turn follows payload that is still to come. */
		if (direction == TO_ORIGIN && (f->payload || (f->flags & FIN && f->seq != s->next)))
			return on_payload(skb, f, t, flow, direction);
		if (f->flags & FIN) {
			bpf_map_delete_elem(&flows, t); /* ends before the client said anything */
			return forward(skb, PATH_HANDSHAKE);
		}
		if (direction == TO_CLIENT)
			return on_greeting(skb, f, t, flow);
		track(skb, f, s);
		return forward(skb, PATH_HANDSHAKE);
	case STATE_HELD:
		if (f->flags & SYN)
			return forward(skb, PATH_HANDSHAKE);
		if (direction == TO_ORIGIN && (f->payload || f->flags & FIN))
			return on_payload(skb, f, t, flow, direction);
		if (f->flags & FIN) {
			bpf_map_delete_elem(&flows, t); /* the origin ends it; user space lets go */
			return forward(skb, PATH_HANDSHAKE);
		}
		if (direction == TO_CLIENT)
			return on_greeting(skb, f, t, flow);
		track(skb, f, s);
		return forward(skb, PATH_HANDSHAKE);
	case STATE_TAKING:
		if (f->payload || f->flags & FIN)
			return on_payload(skb, f, t, flow, direction);
		return forward(skb, PATH_HANDSHAKE);
	case STATE_TAKEN:
		break; /* since the caller looked */
	}
	return forward(skb, PATH_UNTRACKED);
}
