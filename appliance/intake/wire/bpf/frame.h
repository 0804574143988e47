/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Reads the headers of frames. */
#pragma once

#include "wire.h"

/* What a frame says. */
struct frame {
	struct tuple tuple; /* as if the sender were the client */
	__u32 ifindex;
	__u32 seq, ack, tsval;
	__u16 window;
	__u16 payload; /* octets */
	__u16 tcp;     /* offset of the TCP header, or of that of UDP */
	__u16 vid;     /* VLAN, 0: none */
	__u8 flags;
	__u8 ttl;
	__u8 v6;
	__u8 option_len;
	__u8 protocol; /* of the headers that were read */
	__u8 ported;   /* ports were read */
	__u8 later;    /* fragment that cannot change ports */
	__u8 stamped;  /* tsval was read */
	__u8 odd;      /* has an option that not every receiver takes */
	__u8 multipath; /* offset of such an option, 0: none */
	__u8 scale;    /* that it names, 0xff: none */
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

#define HEADERS 8 /* extension headers that are read */
#define TAGS 4	  /* tags behind the first one that are read */

/* Octets at the head of TCP and UDP that no later fragment may cover. */
#define FRAGMENT_HEAD 16

static __always_inline bool is_tag(__u16 proto)
{
	return proto == bpf_htons(ETH_P_8021Q) || proto == bpf_htons(ETH_P_8021AD);
}

/*
 * Takes away tags that are none: receivers skip VID 0 in front of another tag
 * (IEEE 802.1Q, Section 9.6).
 */
__noinline int skip_priority(struct __sk_buff *skb)
{
	__u16 proto;

	for (int i = 0; i < TAGS; i++) {
		if (!skb->vlan_present || skb->vlan_tci & 0xfff ||
		    bpf_skb_load_bytes(skb, 12, &proto, sizeof(proto)) || !is_tag(proto) ||
		    bpf_skb_vlan_pop(skb))
			break;
	}
	return 0;
}

/* Result of reading the headers of IP. */
enum ip_result {
	IP_WHOLE,
	IP_ODD,	  /* options or extension headers */
	IP_FIRST, /* fragment, the first one */
	IP_LATER, /* fragment, none of the ports' */
	IP_CLOSE, /* fragment that overlaps the first one's head */
	IP_BAD,
};

/* Reads extension headers (RFC 8200, Section 4). */
__noinline int read_extensions(struct __sk_buff *skb, struct frame *f)
{
	__u32 at;
	__u8 next;
	int result = IP_WHOLE;
	__u8 h[8];

	if (!f)
		return IP_BAD;
	at = f->tcp;
	next = f->protocol;
	for (int i = 0; i < HEADERS; i++) {
		switch (next) {
		case 0:
		case 43:
		case 60:
		case 135:
		case 139:
		case 140:
			if (result == IP_FIRST || bpf_skb_load_bytes(skb, at, h, 2))
				return IP_BAD; /* in fragments nobody needs them */
			next = h[0];
			at += 8 + 8 * (__u32)h[1];
			result = IP_ODD;
			break;
		case 44:
			if (bpf_skb_load_bytes(skb, at, h, 8))
				return IP_BAD;
			next = h[0];
			at += 8;
			f->protocol = next;
			if (h[2] || h[3] & 0xf8)
				return h[2] || (h[3] & 0xf8) >= FRAGMENT_HEAD ? IP_LATER : IP_CLOSE;
			result = IP_FIRST; /* an atomic one, too: RFC 6946 */
			break;
		default:
			f->protocol = next;
			f->tcp = at;
			return result;
		}
	}
	return IP_BAD;
}

/*
 * Reads the headers of a TCP frame. Otherwise the result is the path of a frame
 * that is none, or none that we take; what could be read of it is noted.
 */
__noinline int parse(struct __sk_buff *skb, struct frame *f)
{
	union {
		struct ipv4 v4;
		struct ipv6 v6;
	} ip;
	struct tcp tcp;
	__u16 proto, offset;
	__u32 ether = ETH_HEADER, end, headers;
	int kind = IP_WHOLE;

	if (!f)
		return PATH_MALFORMED;
	f->ifindex = skb->ifindex;
	f->protocol = 0;
	f->ported = 0;
	f->later = 0;
	f->vid = skb->vlan_present ? skb->vlan_tci & 0xfff : 0;
	if (bpf_skb_load_bytes(skb, 0, f->mac, sizeof(f->mac)) ||
	    bpf_skb_load_bytes(skb, 12, &proto, sizeof(proto)))
		return PATH_MALFORMED;
	for (int i = 0; i < TAGS && is_tag(proto); i++) {
		if (bpf_skb_load_bytes(skb, ether + 2, &proto, sizeof(proto)))
			return PATH_MALFORMED;
		ether += 4;
	}
	if (proto == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, ether, &ip.v4, sizeof(ip.v4)))
			return PATH_MALFORMED;
		f->v6 = 0;
		f->protocol = ip.v4.protocol;
		map4(f->tuple.client, ip.v4.source);
		map4(f->tuple.origin, ip.v4.destination);
		f->ttl = ip.v4.ttl;
		headers = (ip.v4.version_ihl & 0xf) * 4;
		f->tcp = ether + headers;
		end = ether + bpf_ntohs(ip.v4.length);
		offset = bpf_ntohs(ip.v4.fragment);
		if (ip.v4.version_ihl >> 4 != 4 || headers < sizeof(ip.v4))
			kind = IP_BAD;
		else if (offset & 0x1fff)
			kind = (offset & 0x1fff) * 8 >= FRAGMENT_HEAD ? IP_LATER : IP_CLOSE;
		else if (offset & 0x2000)
			kind = IP_FIRST;
		else if (headers > sizeof(ip.v4))
			kind = IP_ODD;
	} else if (proto == bpf_htons(ETH_P_IPV6)) {
		if (bpf_skb_load_bytes(skb, ether, &ip.v6, sizeof(ip.v6)))
			return PATH_MALFORMED;
		f->v6 = 1;
		f->protocol = ip.v6.protocol;
		__builtin_memcpy(f->tuple.client, ip.v6.source, 16);
		__builtin_memcpy(f->tuple.origin, ip.v6.destination, 16);
		f->ttl = ip.v6.hop_limit;
		f->tcp = ether + sizeof(ip.v6);
		end = f->tcp + bpf_ntohs(ip.v6.length);
		if (f->protocol != PROTO_TCP && f->protocol != PROTO_UDP)
			kind = read_extensions(skb, f);
	} else if (is_tag(proto)) {
		f->protocol = PROTO_TCP; /* more tags than anybody uses: it may be anything */
		return PATH_TAG;
	} else {
		return PATH_NOT_IP;
	}
	if (kind == IP_BAD) {
		if (f->v6)
			f->protocol = PROTO_TCP; /* nobody knows what is behind the headers */
		return PATH_MALFORMED;
	}
	if (kind == IP_LATER || kind == IP_CLOSE) {
		f->later = kind == IP_LATER;
		return PATH_FRAGMENT;
	}
	if (f->protocol != PROTO_TCP && f->protocol != PROTO_UDP)
		return kind == IP_FIRST ? PATH_FRAGMENT : PATH_NOT_TCP;
	if (bpf_skb_load_bytes(skb, f->tcp, &f->tuple.client_port, 4))
		return PATH_MALFORMED; /* both ports */
	f->ported = 1;
	if (kind == IP_FIRST)
		return PATH_FRAGMENT;
	if (f->protocol == PROTO_UDP)
		return PATH_NOT_TCP;
	if (ether != ETH_HEADER || (skb->vlan_present && skb->vlan_proto != bpf_htons(ETH_P_8021Q)))
		return PATH_TAG;
	if (kind == IP_ODD)
		return PATH_EXTENSION;
	if (bpf_skb_load_bytes(skb, f->tcp, &tcp, sizeof(tcp)))
		return PATH_MALFORMED;
	headers = f->tcp + (tcp.offset >> 4) * 4;
	if ((tcp.offset >> 4) < 5 || end < headers || skb->len < end)
		return PATH_MALFORMED;
	f->seq = bpf_ntohl(tcp.seq);
	f->ack = bpf_ntohl(tcp.ack);
	f->flags = tcp.flags;
	f->window = bpf_ntohs(tcp.window);
	f->payload = end - headers;
	f->option_len = (tcp.offset >> 4) * 4 - TCP_HEADER;
	return -1;
}

static __always_inline void reverse(struct tuple *to, const struct tuple *from)
{
	__builtin_memcpy(to->client, from->origin, 16);
	__builtin_memcpy(to->origin, from->client, 16);
	to->client_port = from->origin_port;
	to->origin_port = from->client_port;
}
