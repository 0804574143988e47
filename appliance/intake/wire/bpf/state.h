/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is known besides the frame itself: settings, the process, its sockets. */
#pragma once

#include "frame.h"
#include "maps.h"

static __always_inline bool selected_port(__u16 port)
{
	__u32 i = bpf_ntohs(port), word = i >> 6;
	__u64 *bits = bpf_map_lookup_elem(&ports, &word);

	return bits && *bits >> (i & 63) & 1;
}

static __always_inline bool is_exempt(const struct tuple *t)
{
	struct prefix p = { .length = 32 + 128 };

	__builtin_memcpy(p.address, t->client, 16);
	if (bpf_map_lookup_elem(&exempt, &p))
		return true;
	p.end = 1;
	__builtin_memcpy(p.address, t->origin, 16);
	return bpf_map_lookup_elem(&exempt, &p);
}

static __always_inline bool either_exempt(const struct tuple *t)
{
	struct tuple back;

	if (is_exempt(t))
		return true;
	reverse(&back, t);
	return is_exempt(&back);
}

/* Reports whether a loop, or the process, has run of late. */
static __always_inline bool beats(__u32 who, __u64 now, __u64 limit)
{
	__u64 *beat = bpf_map_lookup_elem(&heartbeat, &who);

	return beat && (__s64)(now - *beat) <= (__s64)limit;
}

/*
 * Reports whether somebody is there to take connections. Late, every shard has to
 * be: while one stands still, nobody knows what becomes of its flows. A loop that is
 * late while its process runs has more to do than the box can. It is no reason to let
 * connections pass: they wait, or are sent again.
 */
__noinline int alive(__u32 v6)
{
	__u64 now = bpf_ktime_get_ns();
	__u64 limit = beats(process_beat, now, beat_limit) ? busy_limit : beat_limit;
	struct bpf_sock *sk;

	if (!late && !beats(v6, now, limit))
		return 0;
	for (__u32 i = 0; late && i < SHARDS && i < shards; i++) {
		if (!beats(i, now, limit))
			return 0;
	}
	sk = bpf_map_lookup_elem(&listeners, &v6);
	if (!sk)
		return 0;
	bpf_sk_release(sk);
	return 1;
}

/* State of the socket that the frame is for; 0 for none, or a listener. */
static __always_inline __u32 socket_state(struct __sk_buff *skb, struct frame *f)
{
	struct bpf_sock_tuple t = {};
	struct bpf_sock *sk;
	__u32 state;

	if (f->v6) {
		__builtin_memcpy(t.ipv6.saddr, f->tuple.client, 16);
		__builtin_memcpy(t.ipv6.daddr, f->tuple.origin, 16);
		t.ipv6.sport = f->tuple.client_port;
		t.ipv6.dport = f->tuple.origin_port;
		sk = bpf_skc_lookup_tcp(skb, &t, sizeof(t.ipv6), BPF_F_CURRENT_NETNS, 0);
	} else {
		t.ipv4.saddr = f->tuple.client[3];
		t.ipv4.daddr = f->tuple.origin[3];
		t.ipv4.sport = f->tuple.client_port;
		t.ipv4.dport = f->tuple.origin_port;
		sk = bpf_skc_lookup_tcp(skb, &t, sizeof(t.ipv4), BPF_F_CURRENT_NETNS, 0);
	}
	if (!sk)
		return 0;
	state = sk->state;
	bpf_sk_release(sk);
	return state == BPF_TCP_LISTEN ? 0 : state;
}
