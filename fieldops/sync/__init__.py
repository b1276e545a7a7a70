"""Operations from tablets and screens: taken once each, answered one by one."""
