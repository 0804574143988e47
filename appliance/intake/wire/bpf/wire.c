// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The wire: two ports and nothing in between, except for the TCP connections
 * that user space takes. What is not selected passes unchanged from one leg to the
 * other. What is selected and cannot be judged is dropped, see shut.
 */
#include "late.h"
#include "quic.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SYN_RATE 4096  /* new flows a second of one address */
#define SYN_BURST 8192 /* at once */
#define SECOND 1000000000ull

/* Reports whether an address may open one more connection. */
static __always_inline bool affords(const __u32 *client)
{
	__u64 now = bpf_ktime_get_ns(), tokens;
	struct source first = { .time = now, .tokens = SYN_BURST }, *s;
	__u32 key[4];

	__builtin_memcpy(key, client, sizeof(key));
	s = bpf_map_lookup_elem(&sources, key);
	if (!s) {
		bpf_map_update_elem(&sources, key, &first, BPF_ANY);
		return true;
	}
	if (now - s->time > SECOND / 16) {
		tokens = now - s->time > 2 * SECOND ? SYN_BURST : s->tokens + (now - s->time) * SYN_RATE / SECOND;
		s->tokens = tokens > SYN_BURST ? SYN_BURST : tokens;
		s->time = now;
	}
	if (!s->tokens)
		return false;
	s->tokens--; /* processors at once may count one for two */
	return true;
}

static __always_inline bool other_tag(struct frame *f, struct flow *flow)
{
	return (flow->tagged ? flow->tci & 0xfff : 0) != f->vid;
}

/* Notes a flow that passes since it is none of ours. */
static __always_inline void note(struct __sk_buff *skb, struct frame *f)
{
	struct passed p = { .vid = f->vid, .leg = f->ifindex == legs[0] ? 0 : 1 };

	bpf_map_update_elem(&passed, &f->tuple, &p, BPF_ANY);
}

/*
 * Takes Multipath TCP out of a SYN, so that both ends do without: its other
 * connections would be out of sight. False if that cannot be done.
 */
static __always_inline bool single_path(struct __sk_buff *skb, struct frame *f)
{
	__u32 nops = 0x01010101, was;

	if (!f->multipath)
		return true;
	if (f->multipath == 0xff || bpf_skb_load_bytes(skb, f->tcp + f->multipath, &was, 4))
		return false;
	return !bpf_l4_csum_replace(skb, f->tcp + 16, was, nops, 4) &&
	       !bpf_skb_store_bytes(skb, f->tcp + f->multipath, &nops, 4, 0);
}

/* Makes a flow of its SYN. */
static __always_inline struct flow *compose(struct __sk_buff *skb, struct frame *f)
{
	__u32 key = 0;
	struct flow *flow = bpf_map_lookup_elem(&draft, &key);

	if (!flow)
		return flow;
	__builtin_memset(flow, 0, sizeof(*flow));
	flow->state = late ? STATE_OPENING : STATE_TAKEN;
	flow->tagged = f->vid != 0;
	flow->tci = skb->vlan_tci;
	flow->leg = f->ifindex == legs[0] ? 0 : 1;
	begin(skb, f, &flow->sides[TO_ORIGIN]);
	return flow;
}

/*
 * Notes a SYN that passes. The flow passes for good when the other end answers it:
 * an end that has a connection of its own does not.
 */
static __always_inline void expect(struct __sk_buff *skb, struct frame *f)
{
	struct flow *flow = compose(skb, f);

	if (!flow)
		return;
	flow->state = STATE_OPENING;
	flow->sides[TO_ORIGIN].foreign = 1;
	bpf_map_update_elem(&syns, &f->tuple, flow, BPF_ANY);
}

/* A SYN: a new flow, or one of an old flow again. */
__noinline int on_syn(struct __sk_buff *skb, struct frame *f)
{
	struct tuple back;
	struct flow *old, *flow;
	__u32 state;

	if (!f)
		return DROP;
	old = bpf_map_lookup_elem(&flows, &f->tuple);
	if (!old)
		old = bpf_map_lookup_elem(&closing, &f->tuple);
	if (!old && !late)
		old = bpf_map_lookup_elem(&syns, &f->tuple);
	if (old && other_tag(f, old))
		return shut(skb, f, PATH_OTHER_TAG);
	if (old && old->state == STATE_TAKEN) {
		state = socket_state(skb, f);
		if (state && state != BPF_TCP_TIME_WAIT)
			return divert(skb, PATH_DIVERTED); /* the stack judges it */
		bpf_map_delete_elem(&flows, &f->tuple);
		bpf_map_delete_elem(&closing, &f->tuple);
	}
	reverse(&back, &f->tuple);
	/*
	 * Both ends open the connection at once (RFC 9293, Section 3.5), or an origin
	 * pretends to: who the client is would turn round.
	 */
	if (bpf_map_lookup_elem(&syns, &back) || bpf_map_lookup_elem(&opened, &back) ||
	    bpf_map_lookup_elem(&flows, &back) || bpf_map_lookup_elem(&closing, &back))
		return shut(skb, f, PATH_UNACCEPTABLE);
	if (!every_port && !selected_port(f->tuple.origin_port)) {
		expect(skb, f); /* the client's port is a selected one */
		return forward(skb, PATH_UNSELECTED);
	}
	if (is_exempt(&f->tuple)) {
		expect(skb, f); /* it may be exempt no longer when it speaks */
		return forward(skb, PATH_EXEMPT);
	}
	if (!alive(f->v6)) {
		forget(&f->tuple);
		if (!block)
			note(skb, f);
		return without(skb, PATH_DOWN);
	}
	if (f->flags & (FIN | URG))
		return shut(skb, f, PATH_UNACCEPTABLE);
	if (damaged(skb, f))
		return shut(skb, f, PATH_CHECKSUM);
	if (late && f->payload)
		return drop(PATH_SYN_PAYLOAD); /* RFC 7413, Section 4.1.3: sent again without */
	read_options(skb, f);
	if (strict && !single_path(skb, f))
		return drop(DROPPED(PATH_UNACCEPTABLE));
	/* Sent again, or twice: what was learned since the first one holds. */
	if (late && old && old->state != STATE_ENDED && old->sides[TO_ORIGIN].isn == f->seq)
		return forward(skb, PATH_HANDSHAKE);
	old = bpf_map_lookup_elem(&opened, &f->tuple);
	if (late && old && old->sides[TO_ORIGIN].isn == f->seq)
		return forward(skb, PATH_HANDSHAKE);
	old = bpf_map_lookup_elem(&syns, &f->tuple);
	if (late && old && !old->sides[TO_ORIGIN].foreign && old->sides[TO_ORIGIN].isn == f->seq)
		return forward(skb, PATH_HANDSHAKE);
	if (!affords(f->tuple.client))
		return drop(PATH_SYN_EXCESS); /* sent again */
	flow = compose(skb, f);
	if (!flow)
		return drop(DROPPED(PATH_OVERRUN));
	bpf_map_delete_elem(&passed, &back);
	if (bpf_map_update_elem(&syns, &f->tuple, flow, BPF_ANY))
		return overrun(skb, f, &f->tuple, flow);
	if (late)
		return forward(skb, PATH_HANDSHAKE);
	bpf_map_delete_elem(&passed, &f->tuple);
	return divert(skb, PATH_ACCEPTED);
}

/* A frame of no flow that is known. */
static __always_inline int on_untracked(struct __sk_buff *skb, struct frame *f)
{
	if (!strict || either_exempt(&f->tuple))
		return !strict && block && !either_exempt(&f->tuple) && !alive(f->v6) ?
			       drop(PATH_BLOCKED) : /* down: block */
			       forward(skb, PATH_UNTRACKED);
	if (!alive(f->v6)) {
		if (block)
			return drop(PATH_BLOCKED); /* down: block */
		if (!(f->flags & RST))
			note(skb, f);
		return forward(skb, PATH_UNTRACKED);
	}
	if (f->flags & RST && !f->payload)
		return forward(skb, PATH_UNTRACKED); /* says nothing, and ends what is old */
	if (!(f->flags & SYN) && bpf_ktime_get_ns() < grace_end) {
		note(skb, f);
		return forward(skb, PATH_UNTRACKED); /* older than we */
	}
	return drop(DROPPED(PATH_UNTRACKED)); /* strict */
}

/* Carries a frame of a flow on that passes for good; the result is negative for none. */
static __always_inline int on_passed(struct __sk_buff *skb, struct frame *f, struct tuple *back)
{
	struct passed *p = bpf_map_lookup_elem(&passed, &f->tuple);
	bool leg = true;

	if (!p) {
		p = bpf_map_lookup_elem(&passed, back);
		leg = false;
	}
	if (!p)
		return -1;
	if (p->vid != f->vid)
		return shut(skb, f, PATH_OTHER_TAG);
	if ((f->ifindex == legs[p->leg & 1]) != leg)
		return shut(skb, f, PATH_UNTRACKED);
	return forward(skb, PATH_PASSED);
}

/* What is not a plain TCP frame, by its path. */
__noinline int on_odd(struct __sk_buff *skb, struct frame *f, int path)
{
	if (!f)
		return DROP;
	/* Without its first fragment, which has the ports, a packet is never whole. */
	if (f->later && (f->protocol != PROTO_TCP || !every_port))
		return forward(skb, path);
	if (f->protocol == PROTO_UDP && (refuse || peek)) {
		int done = on_quic(skb, f, path);

		if (done == QUIC_ANSWER)
			return refuse_quic(skb, f, path);
		if (done >= 0)
			return done;
	}
	if (f->protocol != PROTO_TCP)
		return forward(skb, path);
	if (!every_port && f->ported && !selected_port(f->tuple.origin_port) &&
	    !selected_port(f->tuple.client_port))
		return forward(skb, path);
	return shut(skb, f, path);
}

SEC("tcx/ingress")
int wire_ingress(struct __sk_buff *skb)
{
	struct frame f = {};
	struct tuple back;
	struct tuple *t = &f.tuple;
	struct flow *flow;
	__u32 direction = TO_ORIGIN;
	int path;

	skip_priority(skb);
	path = parse(skb, &f);
	if (path >= 0)
		return on_odd(skb, &f, path);
	if (!every_port && !selected_port(f.tuple.origin_port) &&
	    !selected_port(f.tuple.client_port))
		return forward(skb, PATH_UNSELECTED);
	if ((f.flags & (SYN | ACK | RST)) == SYN)
		return on_syn(skb, &f);

	reverse(&back, &f.tuple);
	if (f.flags & SYN && !(f.flags & RST)) {
		flow = bpf_map_lookup_elem(&syns, &back);
		if (flow && flow->state != STATE_TAKEN && f.ack == flow->sides[TO_ORIGIN].isn + 1 &&
		    !other_tag(&f, flow) && f.ifindex != legs[flow->leg & 1])
			return on_syn_ack(skb, &f, &back, flow);
	}
	flow = bpf_map_lookup_elem(&flows, &f.tuple);
	if (!flow) {
		flow = bpf_map_lookup_elem(&flows, &back);
		direction = TO_CLIENT;
	}
	if (!flow) {
		path = on_passed(skb, &f, &back);
		if (path >= 0)
			return path;
		flow = bpf_map_lookup_elem(&opened, &f.tuple);
		direction = TO_ORIGIN;
	}
	if (!flow) {
		flow = bpf_map_lookup_elem(&opened, &back);
		direction = TO_CLIENT;
	}
	if (!flow) {
		flow = bpf_map_lookup_elem(&syns, &f.tuple);
		direction = TO_ORIGIN;
	}
	if (!flow) {
		flow = bpf_map_lookup_elem(&syns, &back);
		direction = TO_CLIENT;
	}
	if (!flow) {
		flow = bpf_map_lookup_elem(&closing, &f.tuple);
		direction = TO_ORIGIN;
	}
	if (!flow) {
		flow = bpf_map_lookup_elem(&closing, &back);
		direction = TO_CLIENT;
	}
	if (!flow)
		return on_untracked(skb, &f);
	if (direction == TO_CLIENT)
		t = &back;
	if (other_tag(&f, flow))
		return shut(skb, &f, PATH_OTHER_TAG);
	/* Not from where this end of the flow is: nothing that we can judge. */
	if ((f.ifindex == legs[flow->leg & 1]) != (direction == TO_ORIGIN))
		return shut(skb, &f, PATH_UNTRACKED);
	if (flow->state == STATE_ENDED && (!(f.flags & RST) || f.payload))
		return shut(skb, &f, PATH_UNTRACKED);
	if (flow->state == STATE_ENDED)
		return forward(skb, PATH_UNTRACKED);
	if (flow->state != STATE_TAKEN)
		return on_late(skb, &f, t, flow, direction);
	if (!socket_state(skb, &f))
		return shut(skb, &f, PATH_NO_SOCKET);
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
	if (skb->mark == MARK_REPLAYED || skb->mark == MARK_JUDGED || skb->mark == MARK_REFUSED) {
		count(PATH_REPLAYED);
		if (skb->mark == MARK_REPLAYED)
			skb->mark = 0;
		return bpf_redirect(skb->ifindex, BPF_F_INGRESS);
	}
	if (parse(skb, &f) >= 0)
		return drop(PATH_OWN); /* MLD and the like: nothing of our own leaves */
	flow = bpf_map_lookup_elem(&flows, &f.tuple);
	if (!flow) {
		reverse(&back, &f.tuple);
		flow = bpf_map_lookup_elem(&flows, &back);
		direction = TO_CLIENT;
	}
	if (!flow) {
		flow = bpf_map_lookup_elem(&syns, &back); /* accept: SYN-ACK */
	}
	if (!flow) {
		flow = bpf_map_lookup_elem(&closing, &back);
	}
	if (!flow) {
		flow = bpf_map_lookup_elem(&syns, &f.tuple); /* accept: SYN of the origin leg */
		direction = TO_ORIGIN;
	}
	if (!flow) {
		flow = bpf_map_lookup_elem(&closing, &f.tuple);
		if (!flow)
			return drop(PATH_NO_FLOW); /* we do not know how it ought to look */
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

/*
 * Changes the state of a flow for user space, which cannot compare and swap. To
 * TAKEN, it is also put where nothing is evicted.
 */
SEC("syscall")
int wire_transition(struct transition *ctx)
{
	struct tuple t = ctx->tuple;
	struct flow *flow = bpf_map_lookup_elem(&flows, &t);

	ctx->found = 0;
	if (!flow && ctx->to == STATE_TAKEN && ctx->from == STATE_TAKEN) {
		flow = bpf_map_lookup_elem(&syns, &t);
		if (!flow || flow->state != STATE_TAKEN)
			return 0;
		if (!bpf_map_update_elem(&flows, &t, flow, BPF_NOEXIST)) {
			bpf_map_delete_elem(&syns, &t);
			ctx->found = STATE_TAKEN;
		}
		return 0;
	}
	if (!flow)
		return 0;
	if (ctx->isn && flow->sides[TO_ORIGIN].isn != ctx->isn)
		return 0;
	switch (ctx->to) {
	case STATE_GONE:
	case STATE_PASSED:
	case STATE_ENDED:
		ctx->found = flow->state;
		if (ctx->found != ctx->from)
			return 0;
		if (ctx->to == STATE_PASSED)
			let_go(&t, flow);
		else if (ctx->to == STATE_ENDED)
			bpf_map_update_elem(&closing, &t, flow, BPF_ANY);
		bpf_map_delete_elem(&flows, &t);
		return 0;
	case STATE_PASSING:
		flow->end = ctx->end;
		if ((__s32)(ctx->end - flow->sides[TO_ORIGIN].next) > 0)
			flow->sides[TO_ORIGIN].next = ctx->end;
		break;
	}
	ctx->found = __sync_val_compare_and_swap(&flow->state, ctx->from, ctx->to);
	return 0;
}
