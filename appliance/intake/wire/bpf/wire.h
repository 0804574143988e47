/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the programs of the wire share with each other and with the loader. */
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88a8
#define PROTO_TCP 6
#define PROTO_UDP 17
#define AF_INET6 10
#define PACKET_HOST 0
#define ETH_HEADER 14
#define TCP_HEADER 20
#define TCP_OPTIONS 40

#define PASS 0 /* TCX_PASS */
#define DROP 2 /* TCX_DROP */

/* Flags of a TCP header, RFC 9293, Section 3.1. */
#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define ACK 0x10
#define URG 0x20

#define SHARDS 16 /* loops that take flows side by side, at most */

/*
 * Marks inside the namespace. A socket bears the mark of the leg that its
 * packets leave by, the index of the leg plus one; routing goes by it.
 */
#define MARK_FORWARDED 3 /* redirected from the other leg, leaves as it is */
#define MARK_REPLAYED 4	 /* held before, goes back to where it came in */
#define MARK_JUDGED 5	 /* likewise, but made by us of octets that may pass */

/* Direction of a frame within a flow. */
enum direction {
	TO_ORIGIN = 0,
	TO_CLIENT = 1,
};

/* States of a flow. */
enum state {
	STATE_GONE = 0,	   /* forgotten, only asked for by user space */
	STATE_OPENING = 1, /* late: SYN went by */
	STATE_OPEN,	   /* late: SYN-ACK went by, the client has sent no payload */
	STATE_HELD,	   /* late: payload of the client waits for a decision */
	STATE_TAKING,	   /* late: sockets are being made, payload of both waits */
	STATE_TAKEN,	   /* sockets carry it */
	STATE_PASSING,	   /* late: may pass, the origin has not acknowledged what was judged */
	STATE_PASSED,	   /* passes for good, kept in a map of its own */
	STATE_ENDED,	   /* reset, or of user space: its session is over; likewise */
};

/* Paths a frame can take, each with a counter. */
enum wire_path {
	/*
	 * Ingress: causes by which a frame is redirected unchanged to the other leg.
	 * The counters DROPPED(cause) are of frames that were dropped for it.
	 */
	PATH_NOT_IP,	 /* ARP, LLDP, STP ... */
	PATH_TAG,	 /* a tag that is not 802.1Q, or a second one */
	PATH_NOT_TCP,
	PATH_FRAGMENT,
	PATH_EXTENSION,	 /* IPv4 options, IPv6 extension headers */
	PATH_MALFORMED,	 /* lengths that do not fit */
	PATH_UNSELECTED, /* by port */
	PATH_EXEMPT,	 /* by address */
	PATH_UNTRACKED,	 /* of a connection that is older than we, or unknown */
	PATH_HANDSHAKE,	 /* before the first payload of the client */
	PATH_DOWN,	 /* would be taken, but nobody is there */
	PATH_NO_SOCKET,	 /* of a taken flow whose socket is gone */
	PATH_OTHER_TAG,	 /* same addresses and ports on another VLAN */
	PATH_OVERRUN,	 /* no room in the ring, or among flows */
	PATH_EXPIRED,	 /* nobody decided in time */
	PATH_PASSED,	 /* of a connection that was let go */
	PATH_CHECKSUM,	 /* damaged */
	PATH_UNACCEPTABLE, /* its receiver would not take it, or not every receiver */
	/* Ingress: to our sockets. */
	PATH_ACCEPTED,	 /* SYN of a new flow */
	PATH_DIVERTED,
	/* Ingress: dropped. */
	PATH_HELD,	   /* copied to user space */
	PATH_HELD_EXCESS,  /* more than is copied, or judged already; comes again */
	PATH_BLOCKED,	   /* nobody is there, and the wire is to be blocked then */
	PATH_SYN_PAYLOAD,  /* TCP Fast Open; comes again without payload */
	PATH_SYN_EXCESS,   /* one source opens too many connections at once */
	PATH_QUIC_BLOCKED, /* answered by ICMP */
	PATH_QUIC_HELD,	   /* shown to user space, which judges it */
	/* Egress. */
	PATH_SENT,	 /* of our sockets */
	PATH_REPLAYED,	 /* held before */
	PATH_OWN,	 /* dropped: not TCP, the box has nothing to say */
	PATH_NO_FLOW,	 /* dropped: of no flow */
	PATH_WRONG_LEG,	 /* dropped: routed to the leg it must not leave by */
	/* Besides: copies of frames that were redirected. */
	PATH_COPIED,
	PATH_COPY_FAILED,
	PATH_QUIC_UNSEEN, /* no room to show it to user space: refused, or sent again */
	PATHS,
};

#define CAUSES PATH_ACCEPTED
#define DROPPED(cause) (PATHS + (cause))

/* Identity of a flow. IPv4 addresses are mapped (::ffff:0:0/96). */
struct tuple {
	__u32 client[4];
	__u32 origin[4];
	__u16 client_port; /* network order, like the addresses */
	__u16 origin_port;
};

/* What is known of one direction of a flow: of frames that go that way. */
struct side {
	__u8 mac[12];	 /* destination, source */
	__u8 known;	 /* a frame was seen */
	__u8 ttl;	 /* TTL or hop limit, 0: unknown */
	__u8 option_len; /* of options */
	__u8 scaled;	 /* window is to be shifted by the scale of the handshake */
	__u8 scale;	 /* of the handshake, 0xff: it named none */
	__u8 stamped;	 /* the handshake had a timestamp */
	__u8 ended;	 /* FIN went by */
	__u8 foreign;	 /* passes if the other end answers: not selected, or exempt */
	__u32 isn;
	__u32 next;	/* after the last sequence number seen */
	__u32 acked;	/* last acknowledgement seen */
	__u32 window;	/* last window seen, not scaled */
	__u32 tsval;	/* last timestamp seen */
	__u32 first_window; /* of SYN or SYN-ACK */
	__u8 options[TCP_OPTIONS]; /* as well */
	__u64 time;	/* of SYN or SYN-ACK, CLOCK_MONOTONIC */
};

struct flow {
	enum state state;
	__u16 tci; /* 802.1Q tag */
	__u8 tagged;
	__u8 leg;	/* index of the client's leg */
	__u64 held;	/* when the first payload was held */
	__u32 held_octets;
	__u32 end;	/* PASSING: sequence number after the octets that were judged */
	struct side sides[2]; /* by direction */
};

/* A flow that passes for good. */
struct passed {
	__u16 vid; /* 0: no tag */
	__u8 leg;  /* index of that of the tuple's client */
	__u8 pad;
};

/* How fast one address opens connections. */
struct source {
	__u64 time; /* when tokens were last added */
	__u64 tokens;
};

/* A frame that is held, as user space gets it. */
struct event {
	__u64 time;
	struct tuple tuple;
	__u32 isn; /* of the client, tells flows with the same tuple apart */
	__u32 length;	/* of the frame, without the tag */
	__u16 segment;	/* payload of each segment, if it is several */
	__u16 tci;
	__u8 tagged;
	__u8 leg;
	__u8 direction;
	__u8 passed; /* the frame went on, this is a copy */
	__u8 pad[4];
};

/* A change of state, if it is what the caller thinks. */
struct transition {
	struct tuple tuple;
	__u32 from;
	__u32 to;
	__u32 found; /* out: state before, 0 for no flow */
	__u32 isn;   /* of the client, tells flows with the same tuple apart */
	__u32 end;   /* to PASSING */
	__u32 pad;
};

/* Addresses of one end of a flow; length counts the bits of both fields. */
struct prefix {
	__u32 length;
	__u32 end; /* 0 client, 1 origin */
	__u32 address[4];
};
