/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Frames on their way to user space. */
#pragma once

#include "wire.h"

/*
 * copy_NAME puts a frame of at most size octets into a ring, behind what is known of
 * it; 0 if there is no room.
 */
#define COPY(name, size, head_type)                                                               \
	struct name {                                                                             \
		head_type event;                                                                  \
		__u8 data[size];                                                                  \
	};                                                                                        \
	static __noinline int copy_##name(struct __sk_buff *skb, head_type *head, void *ring)      \
	{                                                                                         \
		struct name *r;                                                                   \
		__u32 n = skb->len;                                                               \
                                                                                                  \
		if (!head || !ring)                                                               \
			return 0;                                                                 \
		asm volatile("" : "+r"(n));                                                       \
		if (n == 0 || n > size)                                                           \
			return 0;                                                                 \
		r = bpf_ringbuf_reserve(ring, sizeof(*r), 0);                                     \
		if (!r)                                                                           \
			return 0;                                                                 \
		r->event = *head;                                                                 \
		if (bpf_skb_load_bytes(skb, 0, r->data, n)) {                                     \
			bpf_ringbuf_discard(r, 0);                                                \
			return 0;                                                                 \
		}                                                                                 \
		bpf_ringbuf_submit(r, 0);                                                         \
		return 1;                                                                         \
	}
