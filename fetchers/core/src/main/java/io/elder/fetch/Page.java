package io.elder.fetch;

import java.util.List;
import java.util.concurrent.Callable;

/**
 * One page of a list.
 *
 * @param content its items, none of them also where more pages follow. Called once, when the next page has been asked for: the
 *     place for what takes time and tells nothing about that
 * @param next where the next page begins; null or empty on the last
 */
public record Page<T>(Callable<List<T>> content, String next) {
    public Page(List<T> items, String next) {
        this(() -> items, next);
    }

    /** A list that comes whole, or its last page. */
    public static <T> Page<T> last(List<T> items) {
        return new Page<>(items, null);
    }

    /** Throws what reading them met. */
    public List<T> items() throws Exception {
        return content.call();
    }

    boolean isLast() {
        return next == null || next.isEmpty();
    }
}
