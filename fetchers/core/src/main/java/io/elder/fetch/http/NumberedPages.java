package io.elder.fetch.http;

import io.elder.fetch.Page;
import io.elder.fetch.ReadFailure;
import io.elder.fetch.StopReason;
import java.io.IOException;
import java.util.List;
import java.util.function.Function;

/**
 * A list in numbered pages that proves that nobody was missed. When something on a page before is deleted, all that follows
 * moves up, and whoever moved from the next page to one that was read is never seen; a count of all says nothing if
 * somebody else came meanwhile. So each page is as long as makes it begin before where the last one ended: if the last
 * that was seen is still at its place, whatever follows it is still to come.
 *
 * <p>That takes an order in which nothing that stays changes places: by an id, not by a name. Without it, with a server that
 * gives fewer than it is asked for, and now and then with pages of less than {@link #ENOUGH}, one page follows the other: then
 * the count of all is compared, where the server tells it.
 */
public final class NumberedPages<T> {
    /** With as many or more on a page there always is a size that overlaps: 232,792,560 is the first that 2 to 20 divide. */
    public static final int ENOUGH = 20;

    private final String what;
    private final int most;
    private final Function<? super T, String> id;
    private final boolean isInOrder;

    /** Asks for one page. */
    @FunctionalInterface
    public interface Source<T> {
        /** @param number of the page, from 0, if all have this size */
        Numbered<T> ask(int number, int size) throws IOException, InterruptedException;
    }

    /**
     * What came of it.
     *
     * @param count of all pages together; negative where the server does not tell
     */
    public record Numbered<T>(List<T> items, boolean isLast, long count) {}

    private NumberedPages(String what, int most, Function<? super T, String> id, boolean isInOrder) {
        this.what = what;
        this.most = most;
        this.id = id;
        this.isInOrder = isInOrder;
    }

    /**
     * @param what names the list in messages
     * @param most how many one page may have
     */
    public static <T> NumberedPages<T> inOrder(String what, int most, Function<? super T, String> id) {
        return new NumberedPages<>(what, most, id, true);
    }

    /** A list whose order is not known to stay: one page after the other, and who reads it must count. */
    public static <T> NumberedPages<T> inAnyOrder(String what, int size) {
        return new NumberedPages<>(what, size, item -> "", false);
    }

    /**
     * The next page, without what was on the one before.
     *
     * @param cursor as the page before said; null for the first
     * @throws ReadFailure to start over where the list has moved
     */
    public Page<T> page(String cursor, Source<T> source) throws IOException, InterruptedException {
        Window window = cursor == null ? new Window(0, most, -1, 0, "") : Window.parse(cursor);
        Numbered<T> page = source.ask(window.number(), window.size());
        List<T> items = page.items();
        if (window.overlap() > 0
                && (items.size() < window.overlap()
                        || !id.apply(items.get(window.overlap() - 1)).equals(window.last()))) {
            throw ReadFailure.startOver(
                    what + ": " + window.last() + " is not where it was on the page before: the rest has moved");
        }
        if (window.overlap() == 0 && window.count() >= 0 && window.count() != page.count()) {
            throw ReadFailure.startOver(what + ": " + page.count() + " in all, which were " + window.count()
                    + " on the page before: the rest has moved");
        }
        List<T> fresh = items.subList(window.overlap(), items.size());
        if (page.isLast()) {
            return Page.last(fresh);
        }
        if (fresh.isEmpty()) {
            // Or it would be asked for ever.
            throw ReadFailure.stop(
                    StopReason.REPEATED_CURSOR,
                    what + ": page " + window.number() + ", of " + window.size()
                            + " each, has nothing new, and is said not to be the last");
        }
        Window next = isInOrder && items.size() == window.size()
                ? Window.after((window.number() + 1L) * window.size(), most, page.count(), id.apply(fresh.getLast()))
                : new Window(window.number() + 1, window.size(), page.count(), 0, "");
        return new Page<>(fresh, next.toString());
    }

    /**
     * Where a page lies.
     *
     * @param count of all, as the page before told it
     * @param overlap how many of its items were on the page before; 0 if that is not known
     * @param last the id of the last of these
     */
    private record Window(int number, int size, long count, int overlap, String last) {
        static Window parse(String cursor) {
            String[] parts = cursor.split("/", 5);
            return new Window(
                    Integer.parseInt(parts[0]),
                    Integer.parseInt(parts[1]),
                    Long.parseLong(parts[2]),
                    Integer.parseInt(parts[3]),
                    parts[4]);
        }

        /** The one that reaches farthest of those that begin before the first that was not read yet. */
        static Window after(long read, int most, long count, String last) {
            // Where every size is a divisor, which happens with small ones only, no page begins before.
            Window farthest = new Window(Math.toIntExact(read / most), most, count, 0, "");
            long end = 0;
            for (int size = 2; size <= most; size++) {
                int overlap = Math.toIntExact(read % size);
                if (overlap > 0 && read - overlap + size > end) {
                    end = read - overlap + size;
                    farthest = new Window(Math.toIntExact(read / size), size, count, overlap, last);
                }
            }
            return farthest;
        }

        @Override
        public String toString() {
            return number + "/" + size + "/" + count + "/" + overlap + "/" + last;
        }
    }
}
