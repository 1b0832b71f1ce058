package io.elder.normalizer;

import java.util.Map;
import org.apache.kafka.streams.state.RocksDBConfigSetter;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.Cache;
import org.rocksdb.IndexType;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;
import org.rocksdb.WriteBufferManager;

/**
 * All stores of the process share 64 MiB, as in https://kafka.apache.org/43/streams/developer-guide/memory-mgmt/. The cache is a
 * little smaller: its limit is not strict, as reads would fail at a strict one, and blocks that are just in use come on top.
 */
public final class BoundedRocksDb implements RocksDBConfigSetter {
    /** In four parts, and not in 64 as is the default: a block that is larger than its part is read anew each time. */
    private static final Cache CACHE = new LRUCache(60L << 20, 2);

    private static final WriteBufferManager WRITE_BUFFERS = new WriteBufferManager(30L << 20, CACHE);

    @Override
    public void setConfig(String storeName, Options options, Map<String, Object> configs) {
        BlockBasedTableConfig table = (BlockBasedTableConfig) options.tableFormatConfig();
        table.setBlockCache(CACHE);
        // Less than a quarter of the index that Streams' blocks of 4 KiB would have, so that most of it stays in the
        // cache.
        table.setBlockSize(16L << 10);
        table.setIndexBlockRestartInterval(8);
        table.setCacheIndexAndFilterBlocks(true);
        // In parts that are read when they are needed: of millions of resources it is as large as the cache. The
        // filters, whole,
        // are 4 MB of three million.
        table.setIndexType(IndexType.kTwoLevelIndexSearch);
        table.setPinTopLevelIndexAndFilter(true);
        // Streams leaves the oldest level without filters, by which a key that is not there is looked for in a block.
        // New
        // resources are such keys, in a rebuild all of them; the index alone is only asked for what is there.
        options.setOptimizeFiltersForHits(storeName.equals(Stores.SCOPE_INDEX));
        options.setWriteBufferManager(WRITE_BUFFERS);
        options.setWriteBufferSize(4L << 20);
        options.setMaxWriteBufferNumber(2);
        options.setTableFormatConfig(table);
    }

    /** The cache and the buffers belong to the process, not to the store. */
    @Override
    public void close(String storeName, Options options) {}
}
