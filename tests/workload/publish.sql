\set ON_ERROR_STOP on
CREATE PUBLICATION "It's ""all"", Publication\" FOR TABLE "a.b""c"."Ünï 表 %_'\",
  s23456789012345678901234567890123456789012345678901234567890123.t23456789012345678901234567890123456789012345678901234567890123,
  "SELECT"."TABLE", by_index, full_with_key, full_without_key, no_columns, only_key, odd_key, float_key, toasted, toasted_full,
  toasted_key, always_key, always_beside, always_full, by_default, computed, shouted, parent, child, leaves, ancestor,
  descendant, emptied, emptied_too;
CREATE PUBLICATION "inserts, only" FOR TABLE no_identity, no_key WITH (publish = 'insert');
CREATE PUBLICATION by_root FOR TABLE rooted WITH (publish_via_partition_root = true);
