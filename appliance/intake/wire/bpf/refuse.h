/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Answers datagrams of QUIC in the origin's name: the port is unreachable. */
#pragma once

#include "action.h"
#include "frame.h"
#include "state.h"

#define PROTO_UDP 17
#define QUIC_PORT 443
#define REPLY_TTL 64

/* An error carries the IP header and eight octets, which is the UDP header. */
struct icmp {
	__u8 type, code;
	__u16 checksum;
	__u32 unused;
};

struct udp {
	__u16 source, destination, length, checksum;
};

/* RFC 792: destination unreachable, port unreachable. */
struct refusal4 {
	struct ipv4 ip;
	struct icmp icmp;
	struct ipv4 about;
	struct udp udp;
};

/* RFC 4443, Section 3.1: destination unreachable, port unreachable. */
struct refusal6 {
	struct ipv6 ip;
	struct icmp icmp;
	struct ipv6 about;
	struct udp udp;
};

static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Turns the frame into the answer and sends it back by the leg it came from. */
static __always_inline int reply(struct __sk_buff *skb, void *ip, __u32 length)
{
	__u8 mac[12];

	if (bpf_skb_load_bytes(skb, 6, mac, 6) || bpf_skb_load_bytes(skb, 0, mac + 6, 6) ||
	    bpf_skb_change_tail(skb, ETH_HEADER + length, 0) ||
	    bpf_skb_store_bytes(skb, 0, mac, sizeof(mac), 0) ||
	    bpf_skb_store_bytes(skb, ETH_HEADER, ip, length, 0))
		return DROP;
	skb->mark = MARK_FORWARDED;
	return bpf_redirect(skb->ifindex, 0);
}

/*
 * A sum that the frame left to the device covers the same octets in the answer,
 * and goes where ICMP has nothing: over IPv4 it amounts to zero.
 */
static __always_inline int refuse4(struct __sk_buff *skb, struct ipv4 *about, struct udp *udp)
{
	struct refusal4 r = {
		.ip = {
			.version_ihl = 0x45,
			.length = bpf_htons(sizeof(r)),
			.ttl = REPLY_TTL,
			.protocol = 1,
			.source = about->destination,
			.destination = about->source,
		},
		.icmp = { .type = 3, .code = 3 },
		.about = *about,
		.udp = *udp,
	};

	r.ip.checksum = fold(bpf_csum_diff(0, 0, (void *)&r.ip, sizeof(r.ip), 0));
	r.icmp.checksum = fold(bpf_csum_diff(0, 0, (void *)&r.icmp, sizeof(r) - sizeof(r.ip), 0));
	return reply(skb, &r, sizeof(r));
}

static __always_inline int refuse6(struct __sk_buff *skb, struct ipv6 *about, struct udp *udp)
{
	struct refusal6 r = {
		.ip = {
			.flow = bpf_htonl(6u << 28),
			.length = bpf_htons(sizeof(r) - sizeof(r.ip)),
			.protocol = 58,
			.hop_limit = REPLY_TTL,
		},
		.icmp = { .type = 1, .code = 4 },
		.about = *about,
		.udp = *udp,
	};
	__u32 rest[2] = { bpf_htonl(sizeof(r) - sizeof(r.ip)), bpf_htonl(58) };
	__u32 sum;

	__builtin_memcpy(r.ip.source, about->destination, 16);
	__builtin_memcpy(r.ip.destination, about->source, 16);
	/* Pseudo header, RFC 8200, Section 8.1: addresses, length, next header. */
	sum = bpf_csum_diff(0, 0, r.ip.source, 32, 0);
	sum = bpf_csum_diff(0, 0, rest, sizeof(rest), sum);
	sum = bpf_csum_diff(0, 0, (void *)&r.icmp, sizeof(r) - sizeof(r.ip), sum);
	r.icmp.checksum = fold(sum);
	return reply(skb, &r, sizeof(r));
}

/* Refuses a datagram of QUIC. The result is negative for any other frame. */
static __always_inline int refuse_quic(struct __sk_buff *skb)
{
	struct tuple t = {};
	struct ipv4 v4;
	struct ipv6 v6;
	struct udp udp;
	__u16 proto;
	bool is6;

	if (bpf_skb_load_bytes(skb, 12, &proto, sizeof(proto)))
		return -1;
	is6 = proto == bpf_htons(ETH_P_IPV6);
	if (is6) {
		if (bpf_skb_load_bytes(skb, ETH_HEADER, &v6, sizeof(v6)) || v6.protocol != PROTO_UDP ||
		    bpf_skb_load_bytes(skb, ETH_HEADER + sizeof(v6), &udp, sizeof(udp)))
			return -1;
		__builtin_memcpy(t.client, v6.source, 16);
		__builtin_memcpy(t.origin, v6.destination, 16);
	} else {
		if (proto != bpf_htons(ETH_P_IP) || bpf_skb_load_bytes(skb, ETH_HEADER, &v4, sizeof(v4)) ||
		    v4.protocol != PROTO_UDP || v4.version_ihl != 0x45 || v4.fragment & bpf_htons(0x1fff) ||
		    bpf_skb_load_bytes(skb, ETH_HEADER + sizeof(v4), &udp, sizeof(udp)))
			return -1;
		map4(t.client, v4.source);
		map4(t.origin, v4.destination);
	}
	if (udp.destination != bpf_htons(QUIC_PORT) || is_exempt(&t) || (!block && !alive(is6)))
		return -1;
	count(PATH_QUIC_BLOCKED);
	if (is6)
		return refuse6(skb, &v6, &udp);
	return refuse4(skb, &v4, &udp);
}
