/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Flows that are taken over after their handshake, until they are. */
#pragma once

#include "accept.h"
#include "action.h"
#include "copy.h"
#include "learn.h"
#include "state.h"

#define GREETING_OCTETS 4096 /* of what the origin says first; longer ones are cut */

/* By size, so that frames take little more room than they need. */
COPY(tiny, 320, struct event)
COPY(small, 704, struct event)
COPY(segment, 1536, struct event)
COPY(medium, 4096, struct event)
COPY(jumbo, 10240, struct event)
COPY(large, 20480, struct event)
COPY(huge, 66560, struct event)

/* Which shard a flow belongs to: both directions to one, whatever happens to it. */
static __always_inline __u32 shard_of(const struct tuple *t)
{
	__u32 hash = shard_seed;

	for (int i = 0; i < 4; i++) {
		hash = (hash ^ t->client[i]) * 0x9e3779b1;
		hash ^= hash >> 15;
		hash = (hash ^ t->origin[i]) * 0x85ebca77;
		hash ^= hash >> 13;
	}
	hash = (hash ^ ((__u32)t->client_port << 16 | t->origin_port)) * 0xc2b2ae3d;
	hash ^= hash >> 16;
	hash *= 0x27d4eb2f;
	return (__u64)hash * shards >> 32;
}

/* Copies a frame to user space; false if there is no room. */
__noinline int show(struct __sk_buff *skb, struct tuple *t, struct flow *flow,
			   __u32 direction)
{
	struct event head = {
		.time = bpf_ktime_get_ns(),
		.length = skb->len,
		.segment = skb->gso_size,
		.leg = skb->ifindex == legs[0] ? 0 : 1,
		.direction = direction & 1,
		.passed = direction >> 1,
	};
	void *ring;
	__u32 shard;

	if (!flow || !t)
		return 0;
	shard = shard_of(t);
	ring = bpf_map_lookup_elem(&rings, &shard);
	if (!ring)
		return 0;
	head.isn = flow->sides[TO_ORIGIN].isn;
	head.tci = flow->tci;
	head.tagged = flow->tagged;
	__builtin_memcpy(&head.tuple, t, sizeof(*t));
	if (skb->len <= 320)
		return copy_tiny(skb, &head, ring);
	if (skb->len <= 704)
		return copy_small(skb, &head, ring);
	if (skb->len <= 1536)
		return copy_segment(skb, &head, ring);
	if (skb->len <= 4096)
		return copy_medium(skb, &head, ring);
	if (skb->len <= 10240)
		return copy_jumbo(skb, &head, ring);
	if (skb->len <= 20480)
		return copy_large(skb, &head, ring);
	return copy_huge(skb, &head, ring);
}

/* Forgets a flow that nobody has taken. */
static __always_inline void forget(struct tuple *t)
{
	bpf_map_delete_elem(&flows, t);
	bpf_map_delete_elem(&opened, t);
	bpf_map_delete_elem(&syns, t);
}

/* Ends a flow by a reset. It is remembered, in case its receiver never gets that. */
static __always_inline void end_flow(struct tuple *t, struct flow *flow)
{
	flow->state = STATE_ENDED;
	bpf_map_update_elem(&closing, t, flow, BPF_ANY);
	forget(t);
}

/* Has a flow pass for good. */
static __always_inline void let_go(struct tuple *t, struct flow *flow)
{
	struct passed p = { .vid = flow->tagged ? flow->tci & 0xfff : 0, .leg = flow->leg };

	bpf_map_update_elem(&passed, t, &p, BPF_ANY);
	forget(t);
}

/* Lets go of a flow, since nobody is there. In a blocked wire it stays where it is. */
static __always_inline int give_up(struct __sk_buff *skb, struct tuple *t, struct flow *flow,
				   __u32 path)
{
	if (!block)
		let_go(t, flow);
	return without(skb, path);
}

/* There is no room for a flow. */
static __always_inline int overrun(struct __sk_buff *skb, struct frame *f, struct tuple *t,
				   struct flow *flow)
{
	if (overrun_passes && !block) {
		let_go(t, flow);
		return forward(skb, PATH_OVERRUN); /* overload: tunnel */
	}
	return drop(DROPPED(PATH_OVERRUN)); /* TCP sends it again */
}

/* Payload of a late flow that has to wait. */
static __always_inline int on_payload(struct __sk_buff *skb, struct frame *f, struct tuple *t,
				      struct flow *flow, __u32 direction)
{
	__u64 now = bpf_ktime_get_ns();

	if (!alive(f->v6))
		return give_up(skb, t, flow, PATH_DOWN);
	if (flow->state == STATE_OPEN) {
		flow->held = now;
		flow->held_octets = 0;
		flow->state = STATE_HELD;
		/* One of two frames at once is first, the other finds it held. */
		bpf_map_update_elem(&flows, t, flow, BPF_NOEXIST);
		flow->state = STATE_OPEN;
		flow = bpf_map_lookup_elem(&flows, t);
		if (!flow) {
			flow = bpf_map_lookup_elem(&opened, t);
			if (!flow)
				flow = bpf_map_lookup_elem(&syns, t);
			return flow ? overrun(skb, f, t, flow) : drop(DROPPED(PATH_OVERRUN));
		}
		bpf_map_delete_elem(&opened, t);
		bpf_map_delete_elem(&syns, t);
	} else if ((__s64)(now - flow->held) > (__s64)hold_limit) { /* held may be of a later look */
		if (!strict)
			return give_up(skb, t, flow, PATH_EXPIRED);
		count(DROPPED(PATH_EXPIRED)); /* shown anew: who decides may have forgotten it */
		flow->held = now;
		flow->held_octets = 0;
	}
	if (flow->held_octets > hold_octets)
		return drop(PATH_HELD_EXCESS); /* bound of copies; TCP sends it again */
	if (show(skb, t, flow, direction)) {
		flow->held_octets += skb->len;
		return drop(PATH_HELD); /* user space has it */
	}
	if (flow->held_octets)
		return drop(PATH_HELD_EXCESS); /* ring full amid a flow; TCP sends it again */
	return overrun(skb, f, t, flow);
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
		show(skb, t, flow, TO_CLIENT | 2);
	track(f, s, flow->sides[TO_ORIGIN].acked);
	return forward(skb, PATH_HANDSHAKE);
}

/* The SYN-ACK to a SYN of this flow: what was there before with its tuple is over. */
static __always_inline void open_flow(struct __sk_buff *skb, struct frame *f, struct tuple *t,
				      struct flow *flow)
{
	struct flow *old = bpf_map_lookup_elem(&flows, t);

	begin(skb, f, &flow->sides[TO_CLIENT]);
	flow->sides[TO_ORIGIN].acked = flow->sides[TO_CLIENT].next;
	flow->state = STATE_OPEN;
	if (old && old->state != STATE_TAKEN)
		bpf_map_delete_elem(&flows, t);
	bpf_map_delete_elem(&opened, t);
	bpf_map_delete_elem(&closing, t);
	bpf_map_delete_elem(&passed, t);
}

/* A SYN-ACK, with the flow of the SYN that it is for, if there is one. */
static __always_inline int on_syn_ack(struct __sk_buff *skb, struct frame *f, struct tuple *t,
				      struct flow *flow)
{
	struct side *client = &flow->sides[TO_ORIGIN], *s = &flow->sides[TO_CLIENT];

	if (f->ack != client->isn + 1 || f->payload || f->flags & FIN)
		return shut(skb, f, PATH_UNACCEPTABLE);
	if (damaged(skb, f))
		return shut(skb, f, PATH_CHECKSUM);
	if (client->foreign) {
		let_go(t, flow);
		return forward(skb, PATH_PASSED);
	}
	read_options(skb, f);
	/* Again, or by an origin that began anew, such as one with SYN cookies. */
	if (flow->state == STATE_OPENING || f->seq != s->isn)
		open_flow(skb, f, t, flow);
	return forward(skb, PATH_HANDSHAKE);
}

/* A frame without SYN of a flow whose SYN-ACK was not seen. */
static __always_inline int on_opening(struct __sk_buff *skb, struct frame *f, struct tuple *t,
				      struct flow *flow, __u32 direction)
{
	if (f->payload || f->flags & (FIN | URG))
		return alive(f->v6) ? shut(skb, f, PATH_UNACCEPTABLE) : give_up(skb, t, flow, PATH_DOWN);
	if (damaged(skb, f))
		return shut(skb, f, PATH_CHECKSUM);
	if (f->flags & RST && direction == TO_CLIENT) {
		if (!(f->flags & ACK) || f->ack != flow->sides[TO_ORIGIN].isn + 1)
			return shut(skb, f, PATH_UNACCEPTABLE); /* RFC 9293, Section 3.10.7.3 */
		end_flow(t, flow);
	}
	/* An end that remembers an earlier connection acknowledges that, and is reset. */
	return forward(skb, PATH_HANDSHAKE);
}

/* A frame, not a SYN, of a flow in late mode that is not taken yet. */
__noinline int on_late(struct __sk_buff *skb, struct frame *f, struct tuple *t, struct flow *flow,
		       __u32 direction)
{
	struct side *s, *to;
	enum verdict verdict;
	bool says;

	if (!f || !t || !flow)
		return DROP;
	s = &flow->sides[direction & 1];
	to = &flow->sides[!direction];
	says = f->payload || f->flags & FIN;

	if (flow->state == STATE_OPENING)
		return on_opening(skb, f, t, flow, direction);
	if (flow->state == STATE_PASSING && skb->mark == MARK_JUDGED)
		return forward(skb, PATH_PASSED);
	if (damaged(skb, f))
		return shut(skb, f, PATH_CHECKSUM);
	if ((f->flags & (SYN | ACK | RST | FIN)) == (SYN | ACK) && direction == TO_CLIENT &&
	    f->seq == s->isn && f->ack == to->isn + 1 && !f->payload)
		return forward(skb, PATH_HANDSHAKE); /* the client's acknowledgement was lost */
	read_options(skb, f);
	verdict = judge(f, flow, direction);
	if (f->flags & RST) {
		if (verdict == STRAY)
			return shut(skb, f, PATH_UNACCEPTABLE);
		if (verdict == TAKES)
			end_flow(t, flow);
		return forward(skb, PATH_HANDSHAKE);
	}
	if (verdict == STRAY && (strict || f->flags & SYN || !says))
		return alive(f->v6) ? shut(skb, f, PATH_UNACCEPTABLE) : give_up(skb, t, flow, PATH_DOWN);
	switch (flow->state) {
	case STATE_OPEN:
		if (direction == TO_ORIGIN) {
			/* A FIN ahead of its turn follows payload that is still to come. */
			if (f->payload || (f->flags & FIN && f->seq != to->acked))
				return on_payload(skb, f, t, flow, direction);
			track(f, s, to->acked);
			/* The handshake is complete. */
			if (f->seq == s->isn + 1 && f->ack != to->isn) {
				bpf_map_update_elem(&opened, t, flow, BPF_NOEXIST);
				bpf_map_delete_elem(&syns, t);
			}
			return forward(skb, PATH_HANDSHAKE);
		}
		return on_greeting(skb, f, t, flow);
	case STATE_HELD:
		if (direction == TO_ORIGIN && says)
			return on_payload(skb, f, t, flow, direction);
		if (direction == TO_CLIENT)
			return on_greeting(skb, f, t, flow);
		track(f, s, to->acked);
		return forward(skb, PATH_HANDSHAKE);
	case STATE_TAKING:
		if (says)
			return on_payload(skb, f, t, flow, direction);
		return forward(skb, PATH_HANDSHAKE);
	case STATE_PASSING:
		if (!alive(f->v6))
			return give_up(skb, t, flow, PATH_DOWN);
		if (direction == TO_ORIGIN && says && (__s32)(f->seq - flow->end) < 0)
			return drop(PATH_HELD_EXCESS); /* only what was judged goes there */
		track(f, s, to->acked);
		if (direction == TO_CLIENT && (__s32)(f->ack - flow->end) >= 0)
			let_go(t, flow);
		return forward(skb, PATH_PASSED);
	default:
		break; /* taken since the caller looked */
	}
	return shut(skb, f, PATH_UNTRACKED);
}
