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
volatile const __u64 beat_limit;     /* ns after which the last beat is too old */
volatile const __u64 hold_limit;     /* ns after which a held flow passes */
volatile const __u32 hold_octets;    /* of one flow that are copied at most */

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 131072);
	__type(key, struct tuple);
	__type(value, struct flow);
} flows SEC(".maps");

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

/* When the loop that serves a listener last ran, CLOCK_MONOTONIC. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} heartbeat SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PATHS);
	__type(key, enum wire_path);
	__type(value, __u64);
} paths SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20);
} events SEC(".maps");
