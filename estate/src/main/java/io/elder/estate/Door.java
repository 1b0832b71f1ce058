package io.elder.estate;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.IntFunction;
import java.util.function.Predicate;

/** Who comes to a system, and who is sent away: for a while, when a test says so. */
public final class Door {
    /** A demonstration goes on for days. */
    private static final int MOST_REMEMBERED = 100_000;

    private final IntFunction<Site.Reply> refusal;
    private final Deque<Site.Call> calls = new ArrayDeque<>();
    private final List<Trouble> troubles = new ArrayList<>();
    private int answersToLose;
    private volatile Consumer<Site.Call> watcher = call -> {};

    private static final class Trouble {
        private final Predicate<Site.Call> where;
        private final int status;
        private int times;

        Trouble(Predicate<Site.Call> where, int status, int times) {
            this.where = where;
            this.status = status;
            this.times = times;
        }
    }

    /** @param refusal how the vendor says a status, with its own body and headers */
    Door(IntFunction<Site.Reply> refusal) {
        this.refusal = refusal;
    }

    /** The next so many calls are answered with this status: 401, 403, 429, 500, 503. */
    public void refuse(int status, int times) {
        refuse(status, times, call -> true);
    }

    /** The next so many of such calls. */
    public synchronized void refuse(int status, int times, Predicate<Site.Call> where) {
        troubles.add(new Trouble(where, status, times));
    }

    /** The next so many changes are made, but whoever asked for them is told that the server timed out. */
    public synchronized void loseAnswers(int times) {
        answersToLose = times;
    }

    /** Nothing is refused or lost any more. */
    public synchronized void open() {
        troubles.clear();
        answersToLose = 0;
    }

    /** Told of every call as it comes. */
    public void watch(Consumer<Site.Call> who) {
        watcher = who;
    }

    /** All calls, with those that were refused. */
    public synchronized List<Site.Call> calls() {
        return List.copyOf(calls);
    }

    /** The calls that would change something, with those that were refused. */
    public List<Site.Call> writes() {
        return calls().stream().filter(call -> !call.method().equals("GET")).toList();
    }

    public synchronized void forget() {
        calls.clear();
    }

    /** Notes a call, and says how it is refused, if it is. */
    Optional<Site.Reply> enter(Site.Call call) {
        watcher.accept(call);
        return noted(call);
    }

    private synchronized Optional<Site.Reply> noted(Site.Call call) {
        if (calls.size() == MOST_REMEMBERED) {
            calls.removeFirst();
        }
        calls.addLast(call);
        for (Trouble trouble : troubles) {
            if (trouble.times > 0 && trouble.where.test(call)) {
                trouble.times--;
                return Optional.of(refusal.apply(trouble.status));
            }
        }
        return Optional.empty();
    }

    /** What becomes of the answer to a change that was made. */
    synchronized Site.Reply leave(Site.Reply reply) {
        if (answersToLose > 0) {
            answersToLose--;
            return refusal.apply(504);
        }
        return reply;
    }
}
