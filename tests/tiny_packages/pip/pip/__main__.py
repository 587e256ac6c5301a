from pip import main

main()
