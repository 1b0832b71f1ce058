package io.elder.fetch;

import java.time.Duration;

/**
 * How requests are made: each waits for its turn under the rate limit, and one that is throttled or meets a passing
 * trouble is made again, alone, as {@link Provider#classify} says. What is not worth it is thrown as it came.
 */
public interface Requests {
    /** One request; it is called again when it is made again, so it must not hand out anything itself. */
    @FunctionalInterface
    interface Request<T> {
        T send() throws Exception;
    }

    /** The request for one page. */
    @FunctionalInterface
    interface PageRequest<T> {
        /** @param cursor what the page before named as next; null for the first */
        Page<T> send(String cursor) throws Exception;
    }

    /** What to do with an item of a page. */
    @FunctionalInterface
    interface Each<T> {
        void accept(T item) throws Exception;
    }

    /** Makes one request. */
    <T> T request(Request<T> request) throws Exception;

    /** Nobody asks here for so long: the system says that it will soon have enough. What is under way is not held up. */
    default void rest(Duration pause) {}

    /**
     * Makes requests until the last page. An item is handed out once its page has arrived whole; normal return means that
     * there was nothing more. With a client that can be shared, the next page may be asked for meanwhile, from another
     * thread.
     *
     * @throws RepeatedCursorException if the system names a cursor for the second time
     */
    default <T> void pages(PageRequest<T> request, Each<? super T> each) throws Exception {
        Cursors cursors = new Cursors();
        String cursor = null;
        while (true) {
            String from = cursor;
            Page<T> page = request(() -> request.send(from));
            for (T item : page.items()) {
                each.accept(item);
            }
            if (page.isLast()) {
                return;
            }
            cursor = page.next();
            if (!cursors.isNew(cursor)) {
                throw cursors.repeated();
            }
        }
    }
}
