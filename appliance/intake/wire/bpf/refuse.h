/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Answers datagrams of QUIC in the origin's name: the port is unreachable. */
#pragma once

#include "accept.h"
#include "action.h"
#include "frame.h"
#include "state.h"

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

/* The beginning of a long header, RFC 8999, Section 5.1. */
struct long_header {
	__u8 first;
	__u8 version[4];
};

/* Reports whether a datagram begins with a long header, which begins connections. */
static __always_inline bool is_long(struct __sk_buff *skb, struct frame *f)
{
	__u8 first;

	return !bpf_skb_load_bytes(skb, f->tcp + sizeof(struct udp), &first, 1) && first & 0x80;
}

/*
 * Reports whether a datagram is of QUIC: to its port, or with a long header of a
 * version that is in use, RFC 9000, RFC 9369, or drafts. The fixed bit may be clear,
 * RFC 9287. In a message of DNS the last octet of the version is 0.
 */
static __always_inline bool is_quic(struct __sk_buff *skb, struct frame *f)
{
	struct long_header h;
	__u32 version;

	if (!f->ported || f->tuple.origin_port == bpf_htons(QUIC_PORT))
		return true;
	if (bpf_skb_load_bytes(skb, f->tcp + sizeof(struct udp), &h, sizeof(h)) || !(h.first & 0x80))
		return false;
	__builtin_memcpy(&version, h.version, 4);
	version = bpf_ntohl(version);
	return version == 1 || version == 0x6b3343cf || (version >> 8 == 0xff0000 && version & 0xff);
}

/* Reports whether IP has no options and no extension headers. */
static __always_inline bool is_plain(struct frame *f)
{
	return f->tcp == ETH_HEADER + (f->v6 ? sizeof(struct ipv6) : sizeof(struct ipv4));
}

/*
 * Refuses a datagram of QUIC. What has more headers than the answer can quote, and a
 * fragment, is dropped.
 */
static __noinline int refuse_quic(struct __sk_buff *skb, struct frame *f, int path)
{
	struct ipv4 v4;
	struct ipv6 v6;
	struct udp udp;

	if (!f)
		return DROP;
	count(PATH_QUIC_BLOCKED);
	if (path != PATH_NOT_TCP || !is_plain(f) || bpf_skb_load_bytes(skb, f->tcp, &udp, sizeof(udp)))
		return DROP; /* RFC 792: no answer to a fragment */
	if (f->v6) {
		if (bpf_skb_load_bytes(skb, ETH_HEADER, &v6, sizeof(v6)))
			return DROP;
		return refuse6(skb, &v6, &udp);
	}
	if (bpf_skb_load_bytes(skb, ETH_HEADER, &v4, sizeof(v4)))
		return DROP;
	return refuse4(skb, &v4, &udp);
}
