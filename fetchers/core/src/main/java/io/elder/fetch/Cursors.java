package io.elder.fetch;

import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Set;
import java.util.UUID;

/** The cursors that a list has named so far: none may come again. */
final class Cursors {
    // Of their hashes: a million pages of long cursors would fill the memory.
    private final Set<UUID> seen = new HashSet<>();

    boolean isNew(String cursor) {
        return seen.add(UUID.nameUUIDFromBytes(cursor.getBytes(StandardCharsets.UTF_8)));
    }

    RepeatedCursorException repeated() {
        return new RepeatedCursorException(seen.size());
    }
}
