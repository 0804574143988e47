/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Reads the headers of frames. */
#pragma once

#include "wire.h"

/* What a TCP frame says. */
struct frame {
	struct tuple tuple; /* as if the sender were the client */
	__u32 ifindex;
	__u32 seq, ack, tsval;
	__u16 window;
	__u16 payload; /* octets */
	__u16 tcp;     /* offset of the TCP header */
	__u8 flags;
	__u8 ttl;
	__u8 v6;
	__u8 option_len;
	__u8 mac[12];
};

static __always_inline void map4(__u32 *to, __u32 address)
{
	to[0] = 0;
	to[1] = 0;
	to[2] = bpf_htonl(0xffff);
	to[3] = address;
}

struct ipv4 {
	__u8 version_ihl, tos;
	__u16 length, id, fragment;
	__u8 ttl, protocol;
	__u16 checksum;
	__u32 source, destination;
};

struct ipv6 {
	__u32 flow;
	__u16 length;
	__u8 protocol, hop_limit;
	__u32 source[4], destination[4];
};

struct tcp {
	__u16 source, destination;
	__u32 seq, ack;
	__u8 offset, flags;
	__u16 window, checksum, urgent;
};

/*
 * Reads the headers of a TCP frame. Otherwise the result is the path of a frame
 * that is none, or none that we take.
 */
static __always_inline int parse(struct __sk_buff *skb, struct frame *f)
{
	union {
		struct ipv4 v4;
		struct ipv6 v6;
	} ip;
	struct tcp tcp;
	__u16 proto;
	__u32 length, headers;

	if (skb->vlan_present && skb->vlan_proto != bpf_htons(ETH_P_8021Q))
		return PATH_TAG;
	if (bpf_skb_load_bytes(skb, 0, f->mac, sizeof(f->mac)) ||
	    bpf_skb_load_bytes(skb, 12, &proto, sizeof(proto)))
		return PATH_MALFORMED;
	if (proto == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, ETH_HEADER, &ip.v4, sizeof(ip.v4)))
			return PATH_MALFORMED;
		if (ip.v4.protocol != PROTO_TCP)
			return PATH_NOT_TCP;
		if (ip.v4.fragment & bpf_htons(0x3fff))
			return PATH_FRAGMENT;
		if (ip.v4.version_ihl != 0x45)
			return PATH_EXTENSION;
		map4(f->tuple.client, ip.v4.source);
		map4(f->tuple.origin, ip.v4.destination);
		f->v6 = 0;
		f->ttl = ip.v4.ttl;
		f->tcp = ETH_HEADER + sizeof(ip.v4);
		length = bpf_ntohs(ip.v4.length);
		headers = sizeof(ip.v4);
	} else if (proto == bpf_htons(ETH_P_IPV6)) {
		if (bpf_skb_load_bytes(skb, ETH_HEADER, &ip.v6, sizeof(ip.v6)))
			return PATH_MALFORMED;
		switch (ip.v6.protocol) {
		case PROTO_TCP:
			break;
		case 44:
			return PATH_FRAGMENT;
		case 0:
		case 43:
		case 51:
		case 60:
		case 135:
			return PATH_EXTENSION;
		default:
			return PATH_NOT_TCP;
		}
		__builtin_memcpy(f->tuple.client, ip.v6.source, 16);
		__builtin_memcpy(f->tuple.origin, ip.v6.destination, 16);
		f->v6 = 1;
		f->ttl = ip.v6.hop_limit;
		f->tcp = ETH_HEADER + sizeof(ip.v6);
		length = bpf_ntohs(ip.v6.length);
		headers = 0;
	} else {
		return PATH_NOT_IP;
	}
	if (bpf_skb_load_bytes(skb, f->tcp, &tcp, sizeof(tcp)))
		return PATH_MALFORMED;
	headers += (tcp.offset >> 4) * 4;
	if ((tcp.offset >> 4) < 5 || length < headers ||
	    skb->len < (__u32)f->tcp - (f->v6 ? 0 : sizeof(ip.v4)) + length)
		return PATH_MALFORMED;
	f->tuple.client_port = tcp.source;
	f->tuple.origin_port = tcp.destination;
	f->seq = bpf_ntohl(tcp.seq);
	f->ack = bpf_ntohl(tcp.ack);
	f->flags = tcp.flags;
	f->window = bpf_ntohs(tcp.window);
	f->payload = length - headers;
	f->option_len = (tcp.offset >> 4) * 4 - TCP_HEADER;
	f->tsval = 0;
	f->ifindex = skb->ifindex;
	return -1;
}

static __always_inline void reverse(struct tuple *to, const struct tuple *from)
{
	__builtin_memcpy(to->client, from->origin, 16);
	__builtin_memcpy(to->origin, from->client, 16);
	to->client_port = from->origin_port;
	to->origin_port = from->client_port;
}
