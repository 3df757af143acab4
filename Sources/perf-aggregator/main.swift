PerfAggregator.main()
