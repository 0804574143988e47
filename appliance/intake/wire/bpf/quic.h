/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * QUIC flows: how they begin is shown to user space, which judges them. What a client
 * sends with a long header goes nowhere before that; the rest of a flow is judged with
 * it. Maps and ring are of their own, so that a flood is no harm to TCP.
 */
#pragma once

#include "copy.h"
#include "refuse.h"

volatile const __u8 peek;	   /* user space judges QUIC */
volatile const __u64 quic_limit;   /* ns after which a flow is refused that nobody judged, if all are */
volatile const __u64 quic_memory;  /* ns for which a refusal holds */

/* A QUIC flow, from its client. The two legs and VLANs do not mix. */
struct quic_key {
	struct tuple tuple;
	__u16 vid;
	__u16 leg; /* of the client */
};

enum quic_state {
	QUIC_UNDECIDED = 0,
	QUIC_PASSED,
	QUIC_REFUSED,
};

struct quic_flow {
	__u64 since; /* of the state, CLOCK_MONOTONIC */
	enum quic_state state;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, struct quic_key);
	__type(value, struct quic_flow);
} quic_flows SEC(".maps");

/* A datagram that waits for a verdict, with its frame. */
struct quic_event {
	struct quic_key key;
	__u32 length;  /* of the frame, without the tag */
	__u16 udp;     /* offset of the UDP header */
	__u16 segment; /* payload of each datagram, if it is several */
	__u16 tci;
	__u8 tagged;
	__u8 partial; /* its sum is left to the device */
	__u8 pad[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} initials SEC(".maps");

COPY(quic_datagram, 1536, struct quic_event)
COPY(quic_jumbo, 10240, struct quic_event)
COPY(quic_several, 66560, struct quic_event)

/* Shows a datagram to user space; 0 if there is no room. */
__noinline int show_quic(struct __sk_buff *skb, struct frame *f, struct quic_key *key)
{
	struct quic_event head = {
		.length = skb->len,
		.segment = skb->gso_size,
		.tagged = skb->vlan_present,
		.tci = skb->vlan_tci,
	};
	struct sk_buff *kernel = bpf_cast_to_kern_ctx(skb);

	if (!f || !key)
		return 0;
	head.key = *key;
	head.udp = f->tcp;
	head.partial = skb->gso_size || BPF_CORE_READ_BITFIELD(kernel, ip_summed) == CHECKSUM_PARTIAL;
	if (skb->len <= 1536)
		return copy_quic_datagram(skb, &head, &initials);
	if (skb->len <= 10240)
		return copy_quic_jumbo(skb, &head, &initials);
	return copy_quic_several(skb, &head, &initials);
}

#define MARK_REFUSED 6	  /* held before, goes back to where it came in, to be answered */
#define QUIC_ANSWER 0x100 /* besides the actions: refuse the datagram */

/*
 * Carries a datagram of UDP, or says that it is to be answered: the stack has no room
 * for that here. The result is negative if it is not of QUIC.
 */
__noinline int on_quic(struct __sk_buff *skb, struct frame *f, int path)
{
	struct quic_key key = {};
	struct quic_flow *flow, fresh = {};
	__u64 age = 0;

	if (!f || !is_quic(skb, f) || either_exempt(&f->tuple))
		return -1;
	if (skb->mark == MARK_JUDGED)
		return forward(skb, path);
	if (skb->mark == MARK_REFUSED)
		return QUIC_ANSWER;
	if (!alive(f->v6))
		return block ? QUIC_ANSWER : -1; /* down */
	if (!peek)
		return QUIC_ANSWER;
	if (path != PATH_NOT_TCP || !is_plain(f)) /* fragments, options */
		return refuse ? QUIC_ANSWER :
				shut(skb, f, path == PATH_NOT_TCP ? PATH_EXTENSION : path);
	if (!refuse) {
		reverse(&key.tuple, &f->tuple);
		key.vid = f->vid;
		key.leg = f->ifindex == legs[0] ? 1 : 0;
		flow = bpf_map_lookup_elem(&quic_flows, &key);
		if (flow && flow->state == QUIC_PASSED)
			return -1; /* of the origin, which answers what was judged */
	}
	key.tuple = f->tuple;
	key.vid = f->vid;
	key.leg = f->ifindex == legs[0] ? 0 : 1;
	fresh.since = bpf_ktime_get_ns();
	flow = bpf_map_lookup_elem(&quic_flows, &key);
	if (flow) {
		age = fresh.since - flow->since;
		if (flow->state != QUIC_PASSED && age > quic_memory) {
			bpf_map_delete_elem(&quic_flows, &key);
			flow = 0;
		}
	}
	if (flow && flow->state == QUIC_REFUSED)
		return QUIC_ANSWER;
	if (!is_long(skb, f))
		return refuse ? QUIC_ANSWER : -1; /* no connection begins with it */
	if (refuse && flow && age > quic_limit)
		return QUIC_ANSWER; /* nobody has judged it */
	if (!show_quic(skb, f, &key)) {
		count(PATH_QUIC_UNSEEN);
		return refuse ? QUIC_ANSWER : drop(DROPPED(PATH_OVERRUN)); /* sent again */
	}
	if (!flow)
		bpf_map_update_elem(&quic_flows, &key, &fresh, BPF_NOEXIST);
	return drop(PATH_QUIC_HELD);
}
