package io.elder.bench;

import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.Row;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Inventory records of five kinds with links between them, the same ones for the same number. Of 20 records, 17 are of new
 * keys, one repeats a key with other content, and two delete rows that came shortly before.
 *
 * @param records a multiple of 20
 */
record SinkWorkload(int records) {
    static final int ORGANIZATIONS = 20;
    private static final int BLOCK = 20;
    private static final int NEW = 17;
    private static final Instant FIRST = Instant.parse("2026-01-01T00:00:00Z");
    private static final String ACCOUNT = "aws/123456789012/";

    /** Spreads consecutive numbers over the whole index, as the ids of clouds are. */
    private static final int SPREAD = 0x9E3779B1;

    private static final int GATHER = inverse(SPREAD);

    /** What is written, one after the other. */
    enum Phase {
        LOAD("first load", 0),
        CHANGED("all changed", 1),
        /** The same records again, as after a crash before the commit. */
        REDELIVERED("nothing changed", 1),
        /** The same content, observed later: only {@code last_seen_at} moves. */
        SEEN("seen again later", 2),
        /** Into emptied tables. */
        REBUILD("rebuild", 1);

        final String title;
        private final int hour;

        Phase(String title, int hour) {
            this.title = title;
            this.hour = hour;
        }

        /** The records that this phase reads. */
        Phase source() {
            return this == REDELIVERED || this == REBUILD ? CHANGED : this;
        }

        String id() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    SinkWorkload {
        if (records < BLOCK || records % BLOCK != 0) {
            throw new IllegalArgumentException("records: " + records + " (expected: a multiple of " + BLOCK + ")");
        }
    }

    /** How many rows there are in the end. */
    int rows() {
        return records / BLOCK * NEW;
    }

    int deletedRows() {
        return records / BLOCK * 2;
    }

    InventoryRecord record(int number, Phase phase) {
        int block = number / BLOCK;
        int place = number % BLOCK;
        int inBlock = place < NEW ? place : place == NEW ? 3 : place == NEW + 1 ? 5 : 8;
        boolean isLast = place >= NEW || phase == Phase.SEEN;
        int version = inBlock == 3 && isLast ? 1 : 0;
        boolean deleted = (inBlock == 5 || inBlock == 8) && isLast;
        int content = phase == Phase.LOAD ? 0 : 1;
        Instant observed = FIRST.plus(Duration.ofHours(phase.hour)).plusSeconds(isLast ? 1 : 0);
        int key = block * NEW + inBlock;
        return new InventoryRecord(
                key(key),
                "aws/123456789012/eu-central-1/bench",
                "bench." + phase.id(),
                observed,
                row(key, version, content, deleted));
    }

    private static Row row(int key, int version, int content, boolean deleted) {
        String table = table(key);
        String name = kind(key) + "-" + key + (version > 0 ? "-renamed" : "");
        Map<String, Object> values = new HashMap<>();
        Map<String, String> references = new HashMap<>();
        values.put("name", name);
        references.put("organization", organization(key % ORGANIZATIONS));
        switch (table) {
            case "entities" -> {
                values.put("type", "compute");
                values.put("sub_type", "vm");
                values.put("external_id", key(key).substring(key(key).lastIndexOf('/') + 1));
                values.put("cloud_provider", "aws");
                values.put("region", "eu-central-1");
                values.put("status", content % 2 == 0 ? "running" : "stopped");
                if (key % 10 == 1) {
                    references.put("parent", key(key / 1000 * 1000));
                }
            }
            case "networking_resources" -> {
                values.put("network_type", "subnet");
                values.put("description", "10." + key % 200 + "." + key % 250 + ".0/24, revision " + content);
                values.put("region", "eu-central-1");
            }
            case "data_stores" -> {
                values.put("storage_type", "block");
                values.put("storage_provider", "aws");
                values.put("location_region", "eu-central-1");
                values.put("size_bytes", 1_000_000L + key + content);
                values.put("encryption_at_rest", key % 2 == 0);
            }
            case "services" -> {
                values.put("deployment_method", "serverless");
                values.put("description", "revision " + content);
                values.put("status", "active");
            }
            default -> {
                values.remove("name");
                values.put("relationship_type", content % 2 == 0 ? "attached" : "member");
                references.remove("organization");
                references.put("network", key(key / 10 * 10 + 5));
                references.put("entity", key(key / 10 * 10 + key % 2));
            }
        }
        String attributes = "{\"availability_zone\":\"eu-central-1" + (char) ('a' + key % 3)
                + "\",\"architecture\":\"arm64\",\"image_id\":\"ami-" + hex(key * 31) + "\",\"instance_type\":\"m7g."
                + (key % 4 == 0 ? "large" : "xlarge")
                + "\",\"launch_time\":\"2026-01-02T03:04:05Z\",\"private_ip\":\"10."
                + key % 200 + "." + key % 250 + ".17\",\"security_groups\":[\"sg-" + hex(key * 7) + "\",\"sg-"
                + hex(key * 11) + "\"],\"vpc_id\":\"vpc-" + hex(key / 100) + "\",\"monitoring\":false,\"revision\":"
                + content + ",\"version\":" + version + "}";
        return new Row(
                table,
                deleted,
                mixed(((long) key << 8) | ((long) content << 4) | version),
                values,
                references,
                table.equals("services") ? null : attributes,
                table.equals("network_entity_mappings") || table.equals("data_stores")
                        ? List.of()
                        : List.of("team:platform", "stage:production", "cost-centre:" + key % 97));
    }

    private static String table(int key) {
        return switch (key % 10) {
            case 5 -> "networking_resources";
            case 6 -> "data_stores";
            case 7 -> "services";
            case 8, 9 -> "network_entity_mappings";
            default -> "entities";
        };
    }

    private static String kind(int key) {
        return switch (key % 10) {
            case 5 -> "ec2_subnet";
            case 6 -> "ebs_volume";
            case 7 -> "lambda_function";
            case 8, 9 -> "attachment";
            default -> "ec2_instance";
        };
    }

    private static String key(int key) {
        return ACCOUNT + kind(key) + "/i-" + hex(key * SPREAD);
    }

    static String organization(int number) {
        return ACCOUNT + "aws_region/r-" + hex(number * SPREAD);
    }

    /** The id that rows have where whoever writes them can't look ids up. */
    static int idOf(String key) {
        return Integer.parseUnsignedInt(key.substring(key.length() - 8), 16) * GATHER + 1;
    }

    private static String hex(int number) {
        String digits = Integer.toHexString(number);
        return "00000000".substring(digits.length()) + digits;
    }

    private static long mixed(long number) {
        long mixed = (number ^ (number >>> 30)) * 0xBF58476D1CE4E5B9L;
        mixed = (mixed ^ (mixed >>> 27)) * 0x94D049BB133111EBL;
        return mixed ^ (mixed >>> 31);
    }

    /** Modulo 2^32, by Newton's iteration. */
    private static int inverse(int odd) {
        int inverse = odd;
        for (int i = 0; i < 5; i++) {
            inverse *= 2 - odd * inverse;
        }
        return inverse;
    }
}
