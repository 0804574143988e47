/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What can be done with a frame. */
#pragma once

#include "frame.h"
#include "maps.h"
#include "state.h"

static __always_inline void count(__u32 path)
{
	__u64 *n = bpf_map_lookup_elem(&paths, &path);

	if (n)
		*n += 1;
}

/*
 * Copies what is wanted of the traffic that passes. What a flow says before it
 * is decided about is left out: if it is taken, its conversation shows it.
 */
static __always_inline void copy(struct __sk_buff *skb, __u32 path)
{
	bool wanted;

	switch (path) {
	case PATH_NOT_IP:
	case PATH_TAG:
	case PATH_NOT_TCP:
	case PATH_FRAGMENT:
	case PATH_EXTENSION:
	case PATH_MALFORMED:
		wanted = copy_other;
		break;
	case PATH_HANDSHAKE:
		wanted = false;
		break;
	case PATH_UNSELECTED:
		wanted = copy_plain;
		break;
	default:
		wanted = copy_tunneled;
	}
	if (!wanted)
		return;
	skb->mark = 0;
	count(bpf_clone_redirect(skb, copy_to, 0) ? PATH_COPY_FAILED : PATH_COPIED);
}

static __always_inline int forward(struct __sk_buff *skb, __u32 path)
{
	count(path);
	if (copy_to)
		copy(skb, path);
	skb->mark = MARK_FORWARDED;
	return bpf_redirect(skb->ifindex == legs[0] ? legs[1] : legs[0], 0);
}

static __always_inline int drop(__u32 path)
{
	count(path);
	return DROP;
}

/*
 * The one table of frames that cannot be judged, each by its cause: while somebody
 * is there they are dropped, unless the wire is not strict; without, they pass, or
 * they do not, as configured. Exempt addresses are left alone.
 */
static __always_inline int shut(struct __sk_buff *skb, struct frame *f, __u32 cause)
{
	if (!strict || either_exempt(&f->tuple))
		return forward(skb, cause);
	if (alive(f->v6))
		return drop(DROPPED(cause)); /* strict */
	if (block)
		return drop(PATH_BLOCKED); /* down: block */
	return forward(skb, cause);
}

/* Without us a connection passes, or it does not, as configured. */
static __always_inline int without(struct __sk_buff *skb, __u32 path)
{
	if (block)
		return drop(PATH_BLOCKED); /* down: block */
	return forward(skb, path);
}

/* Hands the frame to the stack as one for this host, from its leg. */
static __always_inline int divert(struct __sk_buff *skb, __u32 path)
{
	count(path);
	if (skb->vlan_present)
		bpf_skb_vlan_pop(skb);
	bpf_skb_change_type(skb, PACKET_HOST);
	skb->mark = skb->ifindex == legs[0] ? 1 : 2;
	return PASS;
}
