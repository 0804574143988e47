// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The two ports that an inline device hangs between. What comes back from the
 * device reaches our sockets if it belongs to one of them, or opens a connection
 * that the other side has announced. Everything else is dropped and counted.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define AF_INET6 10
#define ETH_HEADER 14
#define ETH_P_IP 0x0800
#define ETH_P_ARP 0x0806
#define ETH_P_IPV6 0x86dd
#define ETH_P_8021Q 0x8100
#define PROTO_ICMP 1
#define PROTO_TCP 6
#define PROTO_ICMPV6 58
#define SYN 0x02
#define ACK 0x10
#define VLAN_ID 0xfff
#define PASS -1 /* TCX_NEXT */
#define DROP 2	/* TCX_DROP */

volatile const __u16 vlan;    /* tag of all frames, 0: none */
volatile const __u8 resolves; /* neighbours are asked for: ARP and ND pass */

/* A connection, addresses and ports as in frames; IPv4 mapped. */
struct tuple {
	__u32 client[4];
	__u32 origin[4];
	__u16 client_port;
	__u16 origin_port;
};

/* Why a frame was dropped, or that it was not. */
enum inline_path {
	PATH_IN,       /* from the device, for a session */
	PATH_OUT,      /* to the device */
	PATH_UNPAIRED, /* opens a connection that nobody announced */
	PATH_STRAY,    /* of a connection that is none of ours, or no more */
	PATH_TAG,      /* another tag, or none */
	PATH_FOREIGN,  /* no TCP */
	PATH_OWN,      /* of the kernel's own accord, towards the device */
	PATHS,
};

/* Processes that send through the device at a time: one, and others that let sessions end. */
#define PROCESSES 128

/*
 * Connections that may come out of the device on the origin's side, and the slot of the
 * process that announced them.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct tuple);
	__type(value, __u8);
} expected SEC(".maps");

/* Listeners of the origin's side: two a slot, IPv4 first. One that is closed leaves. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 2 * PROCESSES);
	__type(key, __u32);
	__type(value, __u64);
} listeners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PATHS);
	__type(key, enum inline_path);
	__type(value, __u64);
} paths SEC(".maps");

static __always_inline int count(enum inline_path path, int result)
{
	__u64 *n = bpf_map_lookup_elem(&paths, &path);

	if (n)
		*n += 1;
	return result;
}

/* What a frame carries. */
struct frame {
	struct tuple tuple; /* as if the sender were the client */
	__u8 v6;
	__u8 protocol; /* 0: no IP, a fragment, or not looked into */
	__u8 word;     /* flags of TCP, type of ICMP */
	__u8 arp;
};

static __always_inline void read_frame(struct __sk_buff *skb, struct frame *f)
{
	struct {
		__u8 version_ihl, tos;
		__u16 length, id, fragment;
		__u8 ttl, protocol;
		__u16 checksum;
		__u32 source, destination;
	} ip;
	struct {
		__u32 flow;
		__u16 length;
		__u8 protocol, hop_limit;
		__u32 source[4], destination[4];
	} ip6;
	struct {
		__u16 source, destination;
		__u32 seq, ack;
		__u8 offset, flags;
	} tcp;
	__u16 proto;
	__u32 offset;
	__u8 protocol;

	__builtin_memset(f, 0, sizeof(*f));
	if (bpf_skb_load_bytes(skb, 12, &proto, sizeof(proto)))
		return;
	if (proto == bpf_htons(ETH_P_ARP)) {
		f->arp = 1;
		return;
	}
	if (proto == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, ETH_HEADER, &ip, sizeof(ip)) ||
		    ip.fragment & bpf_htons(0x3fff))
			return;
		f->tuple.client[2] = f->tuple.origin[2] = bpf_htonl(0xffff);
		f->tuple.client[3] = ip.source;
		f->tuple.origin[3] = ip.destination;
		protocol = ip.protocol;
		offset = ETH_HEADER + (ip.version_ihl & 0xf) * 4;
	} else if (proto == bpf_htons(ETH_P_IPV6)) {
		if (bpf_skb_load_bytes(skb, ETH_HEADER, &ip6, sizeof(ip6)))
			return;
		__builtin_memcpy(f->tuple.client, ip6.source, 16);
		__builtin_memcpy(f->tuple.origin, ip6.destination, 16);
		f->v6 = 1;
		protocol = ip6.protocol;
		offset = ETH_HEADER + sizeof(ip6);
	} else {
		return;
	}
	switch (protocol) {
	case PROTO_TCP:
		if (bpf_skb_load_bytes(skb, offset, &tcp, sizeof(tcp)))
			return;
		f->tuple.client_port = tcp.source;
		f->tuple.origin_port = tcp.destination;
		f->word = tcp.flags;
		break;
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		if (bpf_skb_load_bytes(skb, offset, &f->word, 1))
			return;
	}
	f->protocol = protocol;
}

/* State of the socket that a TCP frame is for, 0 if there is none. */
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

/* ICMP that tells of packets, RFC 792 and RFC 4443. */
static __always_inline int is_error(struct frame *f)
{
	if (f->protocol == PROTO_ICMP && !f->v6)
		return f->word == 3 || f->word == 11 || f->word == 12;
	return f->protocol == PROTO_ICMPV6 && f->v6 && f->word >= 1 && f->word <= 4;
}

static __always_inline int is_resolution(struct frame *f)
{
	return f->arp || (f->v6 && f->protocol == PROTO_ICMPV6 &&
			  (f->word == 135 || f->word == 136));
}

static __always_inline int receive(struct __sk_buff *skb, int opens)
{
	struct frame f;
	__u32 state;
	__u16 tag = skb->vlan_present ? skb->vlan_tci & VLAN_ID : 0;

	if (tag != vlan)
		return count(PATH_TAG, DROP);
	if (skb->vlan_present && bpf_skb_vlan_pop(skb))
		return count(PATH_TAG, DROP);
	read_frame(skb, &f);
	if (f.protocol != PROTO_TCP) {
		if (is_error(&f) || (resolves && is_resolution(&f)))
			return PASS;
		return count(PATH_FOREIGN, DROP); /* we speak TCP only */
	}
	if ((f.word & (SYN | ACK)) == SYN) {
		if (opens && bpf_map_lookup_elem(&expected, &f.tuple))
			return count(PATH_IN, PASS);
		state = socket_state(skb, &f);
		if (state && state != BPF_TCP_TIME_WAIT)
			return count(PATH_IN, PASS); /* sent again */
		return count(PATH_UNPAIRED, DROP); /* the device's own, or too late */
	}
	if (!socket_state(skb, &f))
		return count(PATH_STRAY, DROP); /* an answer would be a reset by us */
	return count(PATH_IN, PASS);
}

/* At the port of the client's side: no connection begins there. */
SEC("tcx/ingress")
int inline_from_near(struct __sk_buff *skb)
{
	return receive(skb, 0);
}

/* At the port of the origin's side. */
SEC("tcx/ingress")
int inline_from_far(struct __sk_buff *skb)
{
	return receive(skb, 1);
}

SEC("tcx/egress")
int inline_egress(struct __sk_buff *skb)
{
	struct frame f;

	read_frame(skb, &f);
	if (f.protocol != PROTO_TCP && !(resolves && is_resolution(&f)))
		return count(PATH_OWN, DROP); /* the box keeps quiet */
	if (vlan && bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), vlan))
		return count(PATH_OWN, DROP); /* would leave without its tag */
	return count(PATH_OUT, PASS);
}

/* Gives a connection that may open to the listener of the process that announced it. */
SEC("sk_lookup")
int inline_lookup(struct bpf_sk_lookup *ctx)
{
	struct tuple t = {};
	struct bpf_sock *sk;
	__u8 *slot;
	__u32 at;

	/* In this order, lest the compiler reads from one of two places: ctx bears no sums. */
	t.client[2] = t.origin[2] = bpf_htonl(0xffff);
	t.client[3] = ctx->remote_ip4;
	t.origin[3] = ctx->local_ip4;
	if (ctx->family == AF_INET6) {
		t.client[0] = ctx->remote_ip6[0];
		t.client[1] = ctx->remote_ip6[1];
		t.client[2] = ctx->remote_ip6[2];
		t.client[3] = ctx->remote_ip6[3];
		t.origin[0] = ctx->local_ip6[0];
		t.origin[1] = ctx->local_ip6[1];
		t.origin[2] = ctx->local_ip6[2];
		t.origin[3] = ctx->local_ip6[3];
	}
	t.client_port = ctx->remote_port;
	t.origin_port = bpf_htons(ctx->local_port);
	slot = bpf_map_lookup_elem(&expected, &t);
	if (!slot)
		return SK_PASS;
	at = *slot * 2 + (ctx->family == AF_INET6);
	sk = bpf_map_lookup_elem(&listeners, &at);
	if (!sk)
		return SK_PASS;
	bpf_sk_assign(ctx, sk, 0);
	bpf_sk_release(sk);
	return SK_PASS;
}
