//! Seeds derived from one seed.

/// The `n`th seed derived from `seed`, such as that of one sandbox or of one invocation.
pub fn seed_of(seed: u64, n: u64) -> u64 {
    // The finalizer of SplitMix64: seeds that differ in one bit have nothing in common.
    let mut mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(n.wrapping_mul(0xd1b5_4a32_d192_ed03));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
