/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the loader sets, and what programs and user space share. */
#pragma once

#include "wire.h"

volatile const __u32 legs[2];	     /* indexes of the interfaces */
volatile const __u8 late;	     /* take over at the first payload, not at the SYN */
volatile const __u8 block;	     /* nobody there: drop what would be taken */
volatile const __u32 copy_to;	     /* index of the interface for copies, 0: none */
volatile const __u8 copy_plain;	     /* TCP to ports that are not selected */
volatile const __u8 copy_tunneled;   /* other TCP that passes */
volatile const __u8 copy_other;	     /* everything else that passes */
volatile const __u32 copy_out;	     /* index of the port where copies leave the box */
volatile const __u8 refuse;	     /* QUIC, so that clients turn to TCP */
volatile const __u8 every_port;	     /* do not look at ports */
volatile const __u8 strict;	     /* drop what cannot be judged */
volatile const __u8 overrun_passes;  /* without room a flow passes */
volatile const __u64 grace_end;	     /* until then flows pass that are older than we */
volatile const __u64 beat_limit;     /* ns after which the last beat is too old */
volatile const __u64 busy_limit;     /* the same for a loop while the process runs */
volatile const __u32 process_beat;   /* its place among the beats */
volatile const __u64 hold_limit;     /* ns after which a held flow passes */
volatile const __u32 hold_octets;    /* of one flow that are copied at most */
volatile const __u32 shards;	     /* loops that take flows, at most SHARDS */
volatile const __u32 shard_seed;     /* of the hash by which flows are spread over them */

/*
 * Flows of which the client's handshake is not complete. Whoever makes addresses up
 * gets no further than this map, where the oldest entry makes room.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct tuple);
	__type(value, struct flow);
} syns SEC(".maps");

/* Flows whose client has sent no payload. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, struct tuple);
	__type(value, struct flow);
} opened SEC(".maps");

/* Flows that are held, taken or about to pass: none is ever evicted. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 131072); /* set by the loader */
	__type(key, struct tuple);
	__type(value, struct flow);
} flows SEC(".maps");

/* Flows whose session is over. What their sockets still say needs its looks. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct tuple);
	__type(value, struct flow);
} closing SEC(".maps");

/* Flows that pass for good. It outlives the process. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 131072);
	__type(key, struct tuple);
	__type(value, struct passed);
} passed SEC(".maps");

/* Addresses that open connections. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__uint(key_size, 16);
	__type(value, struct source);
} sources SEC(".maps");

/* Octets of a frame while its sum is made, or its options are read. */
#define SCRATCH 256
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__uint(value_size, SCRATCH);
} scratch SEC(".maps");

/* A flow that is being made. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow);
} draft SEC(".maps");

/* Destination ports that are taken, one bit each. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} ports SEC(".maps");

/* Addresses of clients and of origins that are never taken. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct prefix);
	__type(value, __u8);
} exempt SEC(".maps");

/* Listeners: 0 for IPv4, 1 for IPv6. The kernel empties it with the process. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} listeners SEC(".maps");

/*
 * When each loop last ran, CLOCK_MONOTONIC: late, one of a shard; else one of a listener.
 * The last one is that of the process.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SHARDS + 1); /* set by the loader */
	__type(key, __u32);
	__type(value, __u64);
} heartbeat SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PATHS + CAUSES);
	__type(key, enum wire_path);
	__type(value, __u64);
} paths SEC(".maps");

/* Frames that are held, on their way to user space: one ring of a shard. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, SHARDS); /* set by the loader, as is the size of a ring */
	__type(key, __u32);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_RINGBUF);
		__uint(max_entries, 1 << 20);
	});
} rings SEC(".maps");
