package io.elder.fetch;

import java.util.List;

/**
 * One page of a list.
 *
 * @param items may be empty, also where more pages follow
 * @param next where the next page begins; null or empty on the last
 */
public record Page<T>(List<T> items, String next) {
    /** A list that comes whole, or its last page. */
    public static <T> Page<T> last(List<T> items) {
        return new Page<>(items, null);
    }

    boolean isLast() {
        return next == null || next.isEmpty();
    }
}
