// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The wire: two ports and nothing in between, except for the TCP connections
 * that user space takes. Whatever these programs do not understand passes
 * unchanged from one leg to the other.
 */
#include "late.h"
#include "refuse.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* A SYN: a new flow, or one of an old flow again. */
static __always_inline int on_syn(struct __sk_buff *skb, struct frame *f, struct flow *old)
{
	struct flow flow = {};
	struct side *s = &flow.sides[TO_ORIGIN];
	__u32 state = 0;

	if (old && old->state == STATE_TAKEN) {
		state = socket_state(skb, f);
		if (state && state != BPF_TCP_TIME_WAIT)
			return divert(skb, PATH_DIVERTED); /* the stack judges it */
	}
	if (!every_port && !selected_port(f->tuple.origin_port))
		return forward(skb, PATH_UNSELECTED);
	if (is_exempt(&f->tuple))
		return forward(skb, PATH_EXEMPT);
	if (!alive(f->v6)) {
		if (old)
			bpf_map_delete_elem(&flows, &f->tuple);
		return without(skb, PATH_DOWN);
	}
	if (late && f->payload)
		return drop(PATH_SYN_PAYLOAD); /* RFC 7413, Section 4.1.3: sent again without */
	/* Sent again, or twice: what was learned since the first one holds. */
	if (late && old && old->sides[TO_ORIGIN].isn == f->seq)
		return forward(skb, PATH_HANDSHAKE);
	flow.state = late ? STATE_OPENING : STATE_TAKEN;
	flow.tagged = skb->vlan_present;
	flow.tci = skb->vlan_tci;
	flow.leg = skb->ifindex == legs[0] ? 0 : 1;
	learn(f, s);
	s->isn = f->seq;
	s->next = f->seq + 1;
	s->window = s->first_window = f->window;
	s->time = bpf_ktime_get_ns();
	note_options(skb, f, s);
	if (bpf_map_update_elem(&flows, &f->tuple, &flow, BPF_ANY))
		return without(skb, PATH_OVERRUN);
	if (late)
		return forward(skb, PATH_HANDSHAKE);
	return divert(skb, PATH_ACCEPTED);
}

SEC("tcx/ingress")
int wire_ingress(struct __sk_buff *skb)
{
	struct frame f;
	struct tuple back;
	struct tuple *t = &f.tuple;
	struct flow *flow;
	__u32 direction = TO_ORIGIN;
	int path = parse(skb, &f);

	if (path == PATH_NOT_TCP && refuse) {
		int refused = refuse_quic(skb);

		if (refused >= 0)
			return refused;
	}
	if (path >= 0)
		return forward(skb, path);
	if (!every_port && !selected_port(f.tuple.origin_port) &&
	    !selected_port(f.tuple.client_port))
		return forward(skb, PATH_UNSELECTED);

	flow = bpf_map_lookup_elem(&flows, &f.tuple);
	if (flow && (flow->tagged != skb->vlan_present ||
		     (flow->tagged && (flow->tci ^ skb->vlan_tci) & 0xfff)))
		return forward(skb, PATH_OTHER_TAG);
	if ((f.flags & (SYN | ACK | RST)) == SYN)
		return on_syn(skb, &f, flow);
	if (!flow) {
		reverse(&back, &f.tuple);
		flow = bpf_map_lookup_elem(&flows, &back);
		if (!flow) {
			if (block && !is_exempt(&f.tuple) && !is_exempt(&back) && !alive(f.v6))
				return drop(PATH_BLOCKED); /* down: block */
			return forward(skb, PATH_UNTRACKED);
		}
		if (flow->tagged != skb->vlan_present ||
		    (flow->tagged && (flow->tci ^ skb->vlan_tci) & 0xfff))
			return forward(skb, PATH_OTHER_TAG);
		direction = TO_CLIENT;
		t = &back;
	}
	/* Not from where this end of the flow is: nothing that we can judge. */
	if ((skb->ifindex == legs[flow->leg & 1]) != (direction == TO_ORIGIN))
		return forward(skb, PATH_UNTRACKED);
	if (flow->state != STATE_TAKEN)
		return on_late(skb, &f, t, flow, direction);
	if (!socket_state(skb, &f))
		return forward(skb, PATH_NO_SOCKET);
	learn(&f, &flow->sides[direction]);
	return divert(skb, PATH_DIVERTED);
}

/* Gives a frame of our sockets the TTL that its direction is known for. */
static __always_inline void restore_ttl(struct __sk_buff *skb, struct frame *f, __u8 ttl)
{
	__u8 protocol = PROTO_TCP;

	if (!ttl || ttl == f->ttl)
		return;
	if (f->v6) {
		bpf_skb_store_bytes(skb, ETH_HEADER + 7, &ttl, 1, 0);
		return;
	}
	bpf_l3_csum_replace(skb, ETH_HEADER + 10, bpf_htons(f->ttl << 8 | protocol),
			    bpf_htons(ttl << 8 | protocol), 2);
	bpf_skb_store_bytes(skb, ETH_HEADER + 8, &ttl, 1, 0);
}

SEC("tcx/egress")
int wire_egress(struct __sk_buff *skb)
{
	struct frame f;
	struct tuple back;
	struct flow *flow;
	struct side *s, *other;
	__u32 direction = TO_ORIGIN;
	__u8 mac[12];

	if (skb->mark == MARK_FORWARDED) {
		skb->mark = 0;
		return PASS;
	}
	if (skb->mark == MARK_REPLAYED) {
		count(PATH_REPLAYED);
		skb->mark = 0;
		return bpf_redirect(skb->ifindex, BPF_F_INGRESS);
	}
	if (parse(skb, &f) >= 0)
		return drop(PATH_OWN); /* MLD and the like: nothing of our own leaves */
	flow = bpf_map_lookup_elem(&flows, &f.tuple);
	if (!flow) {
		reverse(&back, &f.tuple);
		flow = bpf_map_lookup_elem(&flows, &back);
		if (!flow)
			return drop(PATH_NO_FLOW); /* we do not know how it ought to look */
		direction = TO_CLIENT;
	}
	if (flow->state != STATE_TAKEN)
		return drop(PATH_NO_FLOW); /* its ends still talk to each other */
	if ((skb->ifindex == legs[flow->leg & 1]) != (direction == TO_CLIENT))
		return drop(PATH_WRONG_LEG); /* routing went astray */

	s = &flow->sides[direction];
	other = &flow->sides[!direction];
	if (s->known) {
		__builtin_memcpy(mac, s->mac, sizeof(mac));
	} else { /* that end has not spoken: the pair of the other, turned round */
		__builtin_memcpy(mac, other->mac + 6, 6);
		__builtin_memcpy(mac + 6, other->mac, 6);
	}
	if (bpf_skb_store_bytes(skb, 0, mac, sizeof(mac), 0))
		return drop(PATH_OWN); /* would leave with addresses of the box */
	restore_ttl(skb, &f, s->ttl);
	if (flow->tagged && bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), flow->tci))
		return drop(PATH_OWN); /* would leave without its tag */
	count(PATH_SENT);
	skb->mark = 0;
	return PASS;
}

/* Gives every SYN that is diverted to the listener of its family. */
SEC("sk_lookup")
int wire_lookup(struct bpf_sk_lookup *ctx)
{
	__u32 v6 = ctx->family == AF_INET6;
	struct bpf_sock *sk;

	if (ctx->ingress_ifindex != legs[0] && ctx->ingress_ifindex != legs[1])
		return SK_PASS;
	sk = bpf_map_lookup_elem(&listeners, &v6);
	if (!sk)
		return SK_PASS;
	bpf_sk_assign(ctx, sk, 0);
	bpf_sk_release(sk);
	return SK_PASS;
}

/* At the far end of the link for copies: on to the port where they leave. */
SEC("tcx/ingress")
int wire_copy(struct __sk_buff *skb)
{
	return bpf_redirect(copy_out, 0);
}

/* Changes the state of a flow for user space, which cannot compare and swap. */
SEC("syscall")
int wire_transition(struct transition *ctx)
{
	struct tuple t = ctx->tuple;
	struct flow *flow = bpf_map_lookup_elem(&flows, &t);

	ctx->found = 0;
	if (flow)
		ctx->found = __sync_val_compare_and_swap(&flow->state, ctx->from, ctx->to);
	return 0;
}
